//! The page that explains the issues: `docs/stream-health.md`, where their `docsUrl` leads.

use std::fmt::Write as _;

use headwater_model::health::Issue;

const TEXT: &str = include_str!("../../../docs/stream-health.md");

/// The word of an issue's section, as its heading stands.
pub fn section(issue: Issue) -> String {
    issue.as_str().to_uppercase()
}

/// The page as HTML. Headings have their own text in small letters as anchor.
pub fn page() -> String {
    let mut page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
                    <meta name=\"viewport\" content=\"width=device-width\"><title>Headwater: stream health</title>\
                    <style>body{max-width:45em;margin:2em auto;padding:0 1em;font:16px/1.5 system-ui}</style>"
        .to_owned();
    for block in TEXT.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        // Writing to a string does not fail.
        let _ = match (block.strip_prefix("## "), block.strip_prefix("# ")) {
            (Some(heading), _) => write!(page, "<h2 id=\"{}\">{}</h2>", heading.to_lowercase(), inline(heading)),
            (None, Some(title)) => write!(page, "<h1>{}</h1>", inline(title)),
            (None, None) => write!(page, "<p>{}</p>", inline(block)),
        };
    }
    page + "</html>\n"
}

/// Escaped, with code between backquotes.
fn inline(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let parts = escaped.split('`').enumerate();
    parts
        .map(|(at, part)| match at % 2 {
            1 => format!("<code>{part}</code>"),
            _ => part.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_issue_has_its_section_and_every_section_its_issue() {
        let headings: Vec<&str> = TEXT.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let issues: Vec<String> = Issue::ALL.into_iter().map(section).collect();
        let sections: Vec<&str> = headings
            .iter()
            .copied()
            .filter(|h| h.chars().all(|c| c != ' '))
            .collect();
        assert_eq!(sections, issues, "in the order of the enumeration");
        let page = page();
        for issue in Issue::ALL {
            assert!(page.contains(&format!("<h2 id=\"{}\">", issue.as_str())), "{issue:?}");
        }
        assert!(page.contains("<code>") && !page.contains('`'));
    }
}
