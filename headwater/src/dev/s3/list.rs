//! Listings, in the order of S3: by the bytes of the whole key.

use std::fs;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::Path;

use s3s::dto::{CommonPrefix, ETag, EncodingType, Object, ObjectStorageClass};

use super::folder::Found;

/// Most keys and common prefixes of one page (as in Amazon S3).
pub(super) const PAGE_ENTRIES_MAX: usize = 1000;

/// What to list.
#[derive(Default)]
pub(super) struct Query<'a> {
    pub prefix: &'a str,
    pub delimiter: &'a str,
    /// Lists what comes after this key, or after everything that begins with this common prefix.
    pub after: &'a str,
    pub entries_max: usize,
}

/// What was found.
#[derive(Default)]
pub(super) struct Page {
    pub objects: Vec<(String, Found)>,
    pub prefixes: Vec<String>,
    /// The last entry, when there are more: [`Query::after`] of the next page.
    pub next: Option<String>,
    last: String,
}

impl Page {
    fn entries(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }
}

/// Lists a page of the bucket in `folder`.
pub(super) fn page(folder: &Path, query: &Query<'_>) -> io::Result<Page> {
    let mut page = Page::default();
    if query.entries_max > 0
        && let ControlFlow::Break(Some(error)) = walk(folder, "", query, &mut page)
    {
        return Err(error);
    }
    Ok(page)
}

impl Query<'_> {
    /// Whether keys that begin with `start` (all of them, where `whole`) come before what is wanted.
    fn is_past(&self, start: &str, whole: bool) -> bool {
        // An object's own key holds no delimiter after the prefix, so this is not one.
        let rest = self.after.strip_prefix(self.prefix).unwrap_or_default();
        if !self.delimiter.is_empty() && rest.ends_with(self.delimiter) && start.starts_with(self.after) {
            return true;
        }
        start <= self.after && !(whole && self.after.starts_with(start))
    }

    /// The common prefix that stands for `key` in the listing.
    fn group<'k>(&self, key: &'k str) -> Option<&'k str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = key.strip_prefix(self.prefix)?;
        let end = rest.find(self.delimiter)? + self.delimiter.len();
        Some(&key[..self.prefix.len() + end])
    }
}

/// Visits the files under `folder` in the order of their keys. Breaks when the page is full.
fn walk(folder: &Path, above: &str, query: &Query<'_>, page: &mut Page) -> ControlFlow<Option<io::Error>> {
    let stop = |error: io::Error| ControlFlow::Break(Some(error));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // It was emptied meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return ControlFlow::Continue(()),
        Err(error) => return stop(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let kind = entry.and_then(|e| Ok((e.file_type()?, e)));
        let (kind, entry) = match kind {
            Ok(found) => found,
            Err(error) => return stop(error),
        };
        // What is neither is not ours, and keys are UTF-8.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let start = match (kind.is_dir(), kind.is_file()) {
            (true, _) => format!("{above}{name}/"),
            (_, true) => format!("{above}{name}"),
            _ => continue,
        };
        let wanted = start.starts_with(query.prefix) || (kind.is_dir() && query.prefix.starts_with(&start));
        if wanted && !query.is_past(&start, kind.is_dir()) {
            names.push((start, entry.path(), kind.is_dir()));
        }
    }
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    for (start, path, is_folder) in names {
        if page.prefixes.last().is_some_and(|group| start.starts_with(group)) {
            continue;
        }
        if is_folder {
            walk(&path, &start, query, page)?;
            continue;
        }
        let found = match fs::symlink_metadata(&path).and_then(|m| Found::of(&m)) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return stop(error),
        };
        if page.entries() == query.entries_max {
            page.next = Some(std::mem::take(&mut page.last));
            return ControlFlow::Break(None);
        }
        if let Some(group) = query.group(&start) {
            page.last = group.to_string();
            page.prefixes.push(group.to_string());
        } else {
            page.last.clone_from(&start);
            page.objects.push((start, found));
        }
    }
    ControlFlow::Continue(())
}

/// How names are written in an answer: as they are, or percent-encoded for clients that ask for it, since XML cannot carry
/// every byte that a key may hold.
#[derive(Clone, Copy)]
pub(super) struct Spelling {
    is_url: bool,
}

impl Spelling {
    pub(super) fn of(encoding: Option<&EncodingType>) -> Self {
        Self {
            is_url: encoding.is_some_and(|e| e.as_str() == EncodingType::URL),
        }
    }

    pub(super) fn spell(self, name: String) -> String {
        if !self.is_url {
            return name;
        }
        let mut spelled = String::with_capacity(name.len());
        for byte in name.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'*' => {
                    spelled.push(char::from(byte));
                }
                _ => {
                    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                    spelled.push('%');
                    spelled.push(char::from(DIGITS[usize::from(byte >> 4)]));
                    spelled.push(char::from(DIGITS[usize::from(byte & 15)]));
                }
            }
        }
        spelled
    }

    pub(super) fn objects(self, objects: Vec<(String, Found)>) -> Vec<Object> {
        let object = |(key, Found { etag, modified, size }): (String, Found)| Object {
            key: Some(self.spell(key)),
            e_tag: Some(ETag::Strong(etag.into_value())),
            last_modified: Some(modified),
            size: i64::try_from(size).ok(),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..Object::default()
        };
        objects.into_iter().map(object).collect()
    }

    pub(super) fn prefixes(self, prefixes: Vec<String>) -> Vec<CommonPrefix> {
        let prefix = |p| CommonPrefix {
            prefix: Some(self.spell(p)),
        };
        prefixes.into_iter().map(prefix).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 9] = [
        "a-b",
        "a/1",
        "a/2/x",
        "a/2/y",
        "a/20",
        "a0",
        "b/c/d/e",
        "b/c/d.m4s",
        "z",
    ];

    fn bucket() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        for key in KEYS {
            let path = root.path().join(key);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, key).expect("written");
        }
        fs::create_dir_all(root.path().join("c/empty")).expect("made");
        root
    }

    /// Every entry, in pages of `entries_max`.
    fn all(root: &Path, prefix: &str, delimiter: &str, entries_max: usize) -> Vec<String> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let query = Query {
                prefix,
                delimiter,
                after: &after,
                entries_max,
            };
            let page = page(root, &query).expect("a page");
            assert!(page.entries() <= entries_max);
            let mut names: Vec<_> = page
                .objects
                .into_iter()
                .map(|(key, _)| key)
                .chain(page.prefixes)
                .collect();
            names.sort();
            all.extend(names);
            match page.next {
                Some(next) => after = next,
                None => return all,
            }
        }
    }

    /// The same by the definition, from the whole list of keys.
    fn defined(prefix: &str, delimiter: &str) -> Vec<String> {
        let mut keys: Vec<_> = KEYS.iter().filter(|k| k.starts_with(prefix)).collect();
        keys.sort();
        let mut names: Vec<String> = keys
            .into_iter()
            .map(|key| {
                let rest = &key[prefix.len()..];
                match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
                    Some(at) => key[..prefix.len() + at + delimiter.len()].to_string(),
                    None => (*key).to_string(),
                }
            })
            .collect();
        names.dedup();
        names
    }

    #[test]
    fn pages_of_any_size_list_every_key_once_and_in_order() {
        let root = bucket();
        for prefix in ["", "a", "a/", "a/2", "a/2/", "b/c/d", "c/", "nothing", "z", "zz"] {
            for delimiter in ["", "/", "2", "/2", "."] {
                let wanted = defined(prefix, delimiter);
                for entries_max in [1, 2, 3, 1000] {
                    let listed = all(root.path(), prefix, delimiter, entries_max);
                    assert_eq!(
                        listed, wanted,
                        "prefix {prefix:?} delimiter {delimiter:?} pages of {entries_max}"
                    );
                }
            }
        }
    }

    #[test]
    fn names_are_percent_encoded_on_request() {
        let url = Spelling { is_url: true };
        assert_eq!(url.spell("a b/ü+%.m4s".into()), "a%20b/%C3%BC%2B%25.m4s");
        let plain = Spelling { is_url: false };
        assert_eq!(plain.spell("a b".into()), "a b");
    }
}
