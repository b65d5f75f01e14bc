//! HE-AAC from the publisher's tags to a file that `ffprobe` reads. Debian's encoders make none, so the access units are
//! AAC-LC at half the rate and the record says that SBR doubles it: decoders put up with SBR that does not come.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use headwater_media::codec::aac;
use headwater_media::flv::Metadata;
use headwater_media::normalise::{Normaliser, Output, Start};
use headwater_media::segmenter::{Part, Sample};
use headwater_media::{AccessUnit, Epoch, TrackKind, cmaf};

const START_MS: i64 = 1_700_000_000_000;
/// Samples of a frame at the output rate of 48 kHz.
const FRAME: i64 = 2_048;

/// Four seconds of a tone at 24 kHz, as raw AAC-LC frames.
fn frames(dir: &Path, channels: u8) -> Vec<Bytes> {
    let file = dir.join(format!("core-{channels}.aac"));
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:sample_rate=24000",
            "-t",
            "4",
        ])
        .args(["-c:a", "aac", "-ac", &channels.to_string(), "-f", "adts"])
        .arg(&file)
        .status()
        .expect("ffmpeg is installed");
    assert!(made.success());
    let stream = Bytes::from(std::fs::read(&file).expect("ffmpeg wrote it"));
    let (mut out, mut at) = (Vec::new(), 0);
    while at < stream.len() {
        let length =
            usize::from(stream[at + 3] & 3) << 11 | usize::from(stream[at + 4]) << 3 | usize::from(stream[at + 5] >> 5);
        let adts = aac::unwrap_adts(&stream.slice(at..at + length))
            .expect("ADTS")
            .expect("AAC-LC");
        assert_eq!(
            (adts.config.output_rate(), adts.config.channels()),
            (24_000, Some(channels))
        );
        out.extend(adts.frames);
        at += length;
    }
    out
}

/// What becomes of them when a publisher sends them under `record`, `frame_us` apart.
fn published(record: &[u8], frames: &[Bytes], frame_us: i64) -> (Epoch, Vec<AccessUnit>) {
    let mut normaliser = Normaliser::new(Start::FIRST);
    normaliser.metadata(&Metadata {
        audio: Some(true),
        ..Metadata::default()
    });
    normaliser.audio(START_MS, 0, [&[0xaf, 0], record].concat().into());
    for (n, frame) in (0..).zip(frames) {
        let ms = (n * frame_us + 500) / 1_000;
        normaliser.audio(START_MS + ms, ms as u32, [&[0xaf, 1], &frame[..]].concat().into());
    }
    normaliser.finish();
    let (mut epochs, mut units) = (Vec::new(), Vec::new());
    while let Some(output) = normaliser.poll() {
        match output {
            Output::Epoch(epoch) => epochs.push(epoch),
            Output::Unit(unit) => units.push(unit),
            Output::Issue(issue) => panic!("{issue}"),
        }
    }
    assert_eq!(epochs.len(), 1);
    (epochs.remove(0), units)
}

/// Written as one chunk behind its init segment.
fn written(dir: &Path, name: &str, epoch: &Epoch, units: &[AccessUnit]) -> PathBuf {
    let samples: Vec<Sample> = units
        .iter()
        .map(|unit| Sample {
            data: unit.data.clone(),
            duration: unit.duration.expect("steady"),
            composition_offset: 0,
            key: true,
        })
        .collect();
    let part = Part {
        seq: 0,
        index: 0,
        independent: true,
        decode_time: units[0].dts.ticks,
        decode_lead: 0,
        decode_gain: 0,
        duration: samples.iter().map(|s| s.duration).sum(),
        samples,
    };
    let chunk = cmaf::ChunkWriter::new(TrackKind::Audio).write(&part, None);
    let file = dir.join(format!("{name}.mp4"));
    let bytes = [&cmaf::init_segment(&epoch.tracks[0])[..], &chunk].concat();
    std::fs::write(&file, bytes).expect("disk has room");
    file
}

fn probe(file: &Path, more: &[&str], entries: &str) -> Vec<String> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0", "-show_entries", entries])
        .args(more)
        .arg(file)
        .output()
        .expect("ffprobe is installed");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{}: {errors}", file.display());
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect()
}

#[test]
fn h2_he_aac_keeps_its_rate_its_frames_and_its_name() {
    let dir = std::env::temp_dir().join(format!("headwater-he-aac-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let cases: [(&str, &[u8], u8, &str, u8); 3] = [
        ("explicit SBR", &[0x2b, 0x11, 0x88, 0x00], 2, "mp4a.40.5", 2),
        (
            "backward compatible SBR",
            &[0x13, 0x10, 0x56, 0xe5, 0x98],
            2,
            "mp4a.40.5",
            2,
        ),
        ("explicit PS", &[0xeb, 0x09, 0x88, 0x00], 1, "mp4a.40.29", 2),
    ];
    for (case, record, core_channels, codec, channels) in cases {
        let sent = frames(&dir, core_channels);
        let (epoch, units) = published(record, &sent, FRAME * 1_000 / 48);
        let track = &epoch.tracks[0];
        assert_eq!(
            (track.config.codec_string().as_str(), track.timescale.get()),
            (codec, 48_000),
            "{case}"
        );
        assert_eq!(units.len(), sent.len(), "{case}");
        for (n, unit) in (0..).zip(&units) {
            assert_eq!(
                (unit.dts.ticks, unit.duration),
                (n * FRAME, Some(FRAME as u32)),
                "{case}, frame {n}"
            );
        }
        let file = written(&dir, &case.replace(' ', "-"), &epoch, &units);
        let seconds = (units.len() as i64 * FRAME) as f64 / 48_000.0;
        let stream = probe(&file, &[], "stream=sample_rate,channels");
        assert_eq!(stream, [format!("48000,{channels}")], "{case}");
        let length: f64 = probe(&file, &[], "format=duration")[0].parse().expect("seconds");
        assert!(
            (length - seconds).abs() < 0.001,
            "{case}: {length} s read, {seconds} s written"
        );
        let packets = probe(&file, &[], "packet=pts");
        let expected = (0..).take(units.len()).map(|n: i64| (n * FRAME).to_string());
        assert!(
            packets.iter().map(|p| p.trim_end_matches(',')).eq(expected),
            "{case}: {packets:?}"
        );
        let decoded = probe(&file, &["-count_frames"], "stream=nb_read_frames");
        assert_eq!(decoded, [units.len().to_string()], "{case}: every frame decodes");
    }
    std::fs::remove_dir_all(&dir).expect("ours");
}

#[test]
fn h2_sbr_that_is_not_signalled_keeps_time_by_its_core() {
    let dir = std::env::temp_dir().join(format!("headwater-lc-24k-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    // AAC-LC, 24 kHz, stereo: whether the frames carry SBR shows in none of their headers.
    let sent = frames(&dir, 2);
    let (epoch, units) = published(&[0x13, 0x10], &sent, FRAME * 1_000 / 48);
    assert_eq!(epoch.tracks[0].timescale.get(), 24_000);
    let file = written(&dir, "implicit", &epoch, &units);
    let seconds = (units.len() as i64 * FRAME) as f64 / 48_000.0;
    let length: f64 = probe(&file, &[], "format=duration")[0].parse().expect("seconds");
    assert!((length - seconds).abs() < 0.001, "{length} s read, {seconds} s sent");
    std::fs::remove_dir_all(&dir).expect("ours");
}
