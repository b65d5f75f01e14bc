//! PEM (RFC 7468): one object of a known label.

use base64_simd::STANDARD;

/// Characters of a line.
const LINE_CHARS: usize = 64;

/// Writes `der` under `label`.
pub(super) fn write(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode_to_string(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE_CHARS));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem + &format!("-----END {label}-----\n")
}

/// The bytes under `label`; `None` for anything but exactly one such object.
pub(super) fn read(label: &str, pem: &str) -> Option<Vec<u8>> {
    let inside = pem
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))?
        .strip_suffix(&format!("-----END {label}-----"))?;
    let text: String = inside.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode_to_vec(text).ok().filter(|der| !der.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [1, 47, 48, 49, 300] {
            let der: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let pem = write("PUBLIC KEY", &der);
            assert!(pem.lines().all(|line| line.len() <= 64), "{pem}");
            assert_eq!(read("PUBLIC KEY", &pem), Some(der.clone()));
            assert_eq!(read("PUBLIC KEY", &pem.replace('\n', "\r\n")), Some(der));
            assert_eq!(read("PRIVATE KEY", &pem), None);
            assert_eq!(read("PUBLIC KEY", &pem.replace("END", "AND")), None);
        }
        assert_eq!(
            read("PUBLIC KEY", "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----"),
            None
        );
        assert_eq!(read("PUBLIC KEY", ""), None);
    }
}
