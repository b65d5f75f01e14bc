//! A crowd that waits for one part: `crowd HOST:PORT PATH FIFO COUNT`, beside the example `offline` reading FIFO.
//!
//! Opens COUNT connections, sends PATH (a blocking reload) on each, has the part made by a line into FIFO, and prints
//! how long the median, the 99th percentile and the last answer took from there.

use std::io::Write as _;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Connections opened at once: the accept queue has room for so many.
const OPENING_MAX: usize = 500;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [at, path, fifo, count] = args.as_slice() else {
        return Err("usage: crowd HOST:PORT PATH FIFO COUNT".into());
    };
    let count: usize = count.parse()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: origin\r\n\r\n");
    let mut sockets = Vec::with_capacity(count);
    while sockets.len() < count {
        let opening = (0..OPENING_MAX.min(count - sockets.len())).map(|_| TcpStream::connect(at.as_str()));
        for socket in futures::future::join_all(opening).await {
            let mut socket = socket?;
            socket.write_all(request.as_bytes()).await?;
            sockets.push(socket);
        }
    }
    // Every request is read by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let answers: Vec<_> = sockets
        .into_iter()
        .map(|mut socket| {
            tokio::spawn(async move {
                let mut buf = vec![0; 16 * 1024];
                let size = socket.read(&mut buf).await?;
                Ok::<_, std::io::Error>((Instant::now(), buf[..size].starts_with(b"HTTP/1.1 200")))
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut fifo = std::fs::OpenOptions::new().write(true).open(fifo)?;
    let begin = Instant::now();
    fifo.write_all(b"\n")?;
    let (mut times, mut good) = (Vec::with_capacity(count), 0);
    for answer in answers {
        let (at, ok) = answer.await??;
        times.push(at.saturating_duration_since(begin));
        good += usize::from(ok);
    }
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{good} of {count} good; median {:?}, p99 {:?}, last {:?}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}
