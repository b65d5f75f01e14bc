//! Sends a file through the codec child as fast as it goes and says how much came out.
//!
//! ```text
//! cargo run --release -p headwater-gpu-worker --example transcode_bench -- FILE.flv [--passthrough] [--standard] [--preset P] [--out DIR]
//! ```
//! CPU and memory are measured from outside, by `benches/transcode.py`, which runs the FFmpeg CLI beside it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use headwater_gpu_worker::transcoder::wire::{
    self, AUDIO, AudioConfig, Config, Flush, FromChild, Grid, Rung, ToChild, Unit, VideoConfig, from_child, to_child,
};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (mut file, mut out, mut preset) = (None, None, "veryfast".to_string());
    let (mut passthrough, mut standard) = (false, false);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--passthrough" => passthrough = true,
            "--standard" => standard = true,
            "--preset" => preset = args.next().context("--preset wants a name")?,
            "--out" => out = Some(std::path::PathBuf::from(args.next().context("--out wants a folder")?)),
            _ => file = Some(arg),
        }
    }
    let file = file.context("name a file")?;
    let tags = flv::tags(&std::fs::read(&file)?)?;
    let record = |audio| {
        tags.iter()
            .find(|t| t.record && t.audio == audio)
            .map(|t| t.data.clone())
    };
    let avcc = record(false).context("no H.264 record")?;
    let audio = record(true);
    let ladder = [
        (1920, 1080, 5_000_000),
        (1280, 720, 2_800_000),
        (854, 480, 1_400_000),
        (640, 360, 800_000),
    ];
    let config = Config {
        video: Some(VideoConfig {
            avcc,
            width: 1920,
            height: 1080,
            fps_milli: 30_000,
            rungs: ladder[usize::from(passthrough)..]
                .iter()
                .map(|(width, height, bitrate_bps)| Rung {
                    width: *width,
                    height: *height,
                    bitrate_bps: *bitrate_bps,
                    fps_max_milli: 0,
                })
                .collect(),
            standard_delay: standard,
            preset,
            grid: Some(Grid {
                origin: 0,
                start: 0,
                target: 180_000,
                max: 396_000,
            }),
            from: 0,
            keys_at: Vec::new(),
            part_target_ms: 0,
        }),
        audio: audio.map(|config| AudioConfig {
            config,
            timescale: 48_000,
            bitrate_bps: 128_000,
        }),
    };
    let child_path = std::env::current_exe()?.with_file_name("transcoder_child");
    let mut child = Command::new(child_path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut to = std::io::BufWriter::new(child.stdin.take().context("stdin was asked for")?);
    let mut from = BufReader::new(child.stdout.take().context("stdout was asked for")?);
    let reader = std::thread::spawn(move || -> Result<BTreeMap<u32, (u64, u64)>> {
        let mut made = BTreeMap::new();
        let mut files = BTreeMap::new();
        let mut records: Vec<Bytes> = Vec::new();
        while let Some(message) = wire::read::<FromChild>(&mut from)? {
            match message.kind {
                Some(from_child::Kind::Encoded(unit)) => {
                    let (units, bytes) = made.entry(unit.rendition).or_insert((0, 0));
                    *units += 1;
                    *bytes += unit.data.len() as u64;
                    if let (Some(out), false) = (&out, unit.rendition == AUDIO) {
                        let path = out.join(format!("rung-{}.h264", unit.rendition));
                        let to = match files.entry(unit.rendition) {
                            Entry::Occupied(file) => file.into_mut(),
                            Entry::Vacant(none) => none.insert(std::fs::File::create(path)?),
                        };
                        let record: &[u8] = if unit.key {
                            &records[unit.rendition as usize]
                        } else {
                            &[]
                        };
                        write_annexb(to, record, &unit.data)?;
                    }
                }
                Some(from_child::Kind::Opened(opened)) => records = opened.video,
                Some(from_child::Kind::Fault(fault)) => eprintln!("child: {}", fault.what),
                _ => {}
            }
        }
        Ok(made)
    });
    let mut say = |kind| wire::write(&mut to, &ToChild { kind: Some(kind) });
    say(to_child::Kind::Config(config))?;
    let mut last = 0;
    for tag in tags.into_iter().filter(|t| !t.record) {
        let per_ms = if tag.audio { 48 } else { 90 };
        let (dts, pts) = (tag.dts_ms * per_ms, tag.pts_ms * per_ms);
        if !tag.audio {
            last = last.max(pts);
        }
        say(to_child::Kind::Unit(Unit {
            audio: tag.audio,
            dts,
            pts,
            force_idr: false,
            data: tag.data,
        }))?;
    }
    say(to_child::Kind::Flush(Flush { until: None }))?;
    drop(to);
    let made = reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    if !child.wait()?.success() {
        bail!("the child failed");
    }
    let seconds = last as f64 / 90_000.0;
    print!("{{\"media_s\":{seconds:.3}");
    for (rendition, (units, bytes)) in made {
        let name = if rendition == AUDIO {
            "audio".to_string()
        } else {
            format!("rung{rendition}")
        };
        print!(
            ",\"{name}\":{{\"units\":{units},\"kbps\":{:.0}}}",
            bytes as f64 * 8e-3 / seconds
        );
    }
    println!("}}");
    Ok(())
}

fn write_annexb(to: &mut impl Write, record: &[u8], data: &[u8]) -> std::io::Result<()> {
    if let [_, _, _, _, _, _, a, b, ..] = record {
        let sps = usize::from(*a) << 8 | usize::from(*b);
        let pps_at = 8 + sps + 3;
        let pps = usize::from(record[pps_at - 2]) << 8 | usize::from(record[pps_at - 1]);
        for nal in [&record[8..8 + sps], &record[pps_at..pps_at + pps]] {
            to.write_all(&[0, 0, 0, 1])?;
            to.write_all(nal)?;
        }
    }
    let mut rest = data;
    while let [a, b, c, d, tail @ ..] = rest {
        let (nal, next) = tail.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        to.write_all(&[0, 0, 0, 1])?;
        to.write_all(nal)?;
        rest = next;
    }
    Ok(())
}

/// Just enough of FLV to read what FFmpeg wrote.
mod flv {
    use anyhow::{Result, bail};
    use bytes::Bytes;

    pub struct Tag {
        pub audio: bool,
        /// A configuration record instead of media.
        pub record: bool,
        pub dts_ms: i64,
        pub pts_ms: i64,
        pub data: Bytes,
    }

    pub fn tags(file: &[u8]) -> Result<Vec<Tag>> {
        if !file.starts_with(b"FLV\x01") {
            bail!("not an FLV file");
        }
        let number = |bytes: &[u8]| bytes.iter().fold(0_i64, |n, b| n << 8 | i64::from(*b));
        let (mut tags, mut rest) = (Vec::new(), &file[13..]);
        while rest.len() > 15 {
            let (kind, size) = (rest[0], number(&rest[1..4]) as usize);
            let dts_ms = number(&rest[4..7]) | i64::from(rest[7]) << 24;
            let body = &rest[11..11 + size];
            let start = if kind == 8 { 2 } else { 5 };
            if matches!(kind, 8 | 9) && body.len() > start && body[1] < 2 {
                let shift = if kind == 9 { number(&body[2..5]) << 40 >> 40 } else { 0 };
                let data = Bytes::copy_from_slice(&body[start..]);
                tags.push(Tag {
                    audio: kind == 8,
                    record: body[1] == 0,
                    dts_ms,
                    pts_ms: dts_ms + shift,
                    data,
                });
            }
            rest = &rest[11 + size + 4..];
        }
        Ok(tags)
    }
}
