//! From the first media at the edge to the first playable multivariant playlist.

use std::time::Duration;

use chrono::Utc;
use headwater_tests::dev::Dev;
use headwater_tests::encoder::Source;
use headwater_tests::http;

use crate::playlist::Playlist;

const RUNS: usize = 5;
const LIMIT: Duration = Duration::from_secs(20);

/// Prints one table.
pub async fn run() -> anyhow::Result<()> {
    println!("### First media to first playable multivariant playlist\n");
    println!("640x360p30, {RUNS} runs each on a fresh instance; from the first media at the edge (the wall clock that");
    println!(
        "`EXT-X-PROGRAM-DATE-TIME` gives it) to the end of the first answer of `main.m3u8`, asked for every 10 ms.\n"
    );
    println!("| GOP | source ladder: min / median / max | full ladder: min / median / max |");
    println!("|---|---|---|");
    for gop in [30, 60] {
        let source = measure(gop, "source").await?;
        let full = measure(gop, "default").await?;
        println!("| {} s | {} | {} |", gop / 30, row(source), row(full));
    }
    println!();
    Ok(())
}

fn row(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    format!(
        "{:.2} / {:.2} / {:.2} s",
        times[0],
        times[times.len() / 2],
        times[times.len() - 1]
    )
}

async fn measure(gop: u32, ladder: &str) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let mut dev = Dev::start_with(&["--demo-ladder", ladder], &[("HEADWATER_LOG", "warn")]).await?;
        let encoder = Source {
            gop,
            ..Source::default()
        }
        .push(&dev.push_url())?;
        let url = dev.play("main.m3u8");
        let playable = async {
            loop {
                if http::get(&url).await.is_ok_and(|a| a.status == 200) {
                    return Utc::now();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let at = tokio::time::timeout(LIMIT, playable).await?;
        let base = dev.play("");
        let first = Playlist::first_of(base.trim_end_matches('/')).await?;
        let begins = first
            .begins()
            .ok_or_else(|| anyhow::anyhow!("no date in {}", first.text))?;
        times.push(at.signed_duration_since(begins).as_seconds_f64());
        encoder.cut().await?;
        dev.stop().await?;
    }
    Ok(times)
}
