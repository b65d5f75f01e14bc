//! Finding one's way in HLS.

use anyhow::Context as _;

use crate::http;

/// Every media playlist that a multivariant playlist lists.
pub async fn media_playlists(multivariant_url: &str) -> anyhow::Result<Vec<String>> {
    let answer = http::get(multivariant_url).await?;
    anyhow::ensure!(
        answer.status == 200,
        "{multivariant_url}: {}: {}",
        answer.status,
        answer.text()
    );
    let base = multivariant_url.rsplit_once('/').context("an address with a path")?.0;
    let text = answer.text();
    let of_line = |line: &str| match line.split("URI=\"").nth(1).and_then(|rest| rest.split('"').next()) {
        Some(uri) => Some(format!("{base}/{uri}")),
        None => (!line.starts_with('#') && !line.is_empty()).then(|| format!("{base}/{line}")),
    };
    let mut listed: Vec<String> = text.lines().filter_map(of_line).collect();
    listed.sort();
    listed.dedup();
    Ok(listed)
}
