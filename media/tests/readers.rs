//! Independent readers agree with what the packager writes: `ffprobe`, `ffmpeg` and a second box reader.
//!
//! `ffmpeg` makes a real source (H.264 with B-frames, AAC); simple code of this test's own reads its FLV tags; the
//! segmenter and the box writer make segments, playlists and manifests of it, on disk as they lie in the store.

#[path = "readers/source.rs"]
mod source;
#[path = "readers/store.rs"]
mod store;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use headwater_media::TrackKind;
use headwater_media::cmaf::{Atom, Moov, fragments};
use source::Source;
use store::Store;

/// Standard output of a tool that must succeed and say nothing on standard error.
fn tool(name: &str, args: &[&str], file: &Path) -> String {
    let out = Command::new(name)
        .args(args)
        .arg(file)
        .output()
        .expect("ffmpeg is installed");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && errors.trim().is_empty(),
        "{name} on {}: {errors}",
        file.display()
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn probe(entries: &str, extra: &[&str], file: &Path) -> String {
    let mut args = vec!["-v", "error", "-of", "csv=p=0", "-show_entries", entries];
    args.extend(extra);
    tool("ffprobe", &args, file)
}

/// (pts, dts, key) of every packet of stream `select`, in ticks, in file order.
fn packets(file: &Path, select: &str) -> Vec<(i64, i64, bool)> {
    let text = probe("packet=pts,dts,flags", &["-select_streams", select], file);
    let packet = |line: &str| {
        let mut fields = line.split(',');
        let mut number = || fields.next().and_then(|f| f.parse().ok()).expect("a number");
        (number(), number(), fields.next().is_some_and(|f| f.starts_with('K')))
    };
    text.lines().filter(|l| !l.is_empty()).map(packet).collect()
}

fn decode_all(file: &Path) {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-i"])
        .arg(file)
        .args(["-f", "null", "-"])
        .output()
        .expect("ffmpeg is installed");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && errors.trim().is_empty(),
        "{}: {errors}",
        file.display()
    );
}

#[test]
fn every_frame_is_read_back_at_its_time() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let source = Source::make(dir.path(), &["-g", "60", "-bf", "2"]);
    let store = Store::package(dir.path(), &source);
    for (name, kind) in [("source", TrackKind::Video), ("audio", TrackKind::Audio)] {
        let file = store.joined(name);
        decode_all(&file);
        let read = packets(&file, "0");
        let mut wanted: Vec<_> = source.units(kind).map(|u| (u.pts.ticks, u.key)).collect();
        assert_eq!(read.len(), wanted.len());
        let mut shown: Vec<_> = read.iter().map(|(pts, _, key)| (*pts, *key)).collect();
        shown.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(shown, wanted, "{name}");
        assert!(
            read.iter().all(|(pts, dts, _)| dts <= pts),
            "nothing is shown before it is decoded"
        );
        assert!(read.windows(2).all(|w| w[0].1 < w[1].1), "decode times rise");
    }
    let stream = probe(
        "stream=codec_name,width,height,sample_aspect_ratio",
        &[],
        &store.joined("source"),
    );
    assert_eq!(stream.trim(), "h264,320,180,1:1");
    let stream = probe("stream=codec_name,sample_rate,channels", &[], &store.joined("audio"));
    assert_eq!(stream.trim(), "aac,48000,2");
}

#[test]
fn stored_playlists_and_manifest_play_from_disk() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let source = Source::make(dir.path(), &["-g", "30", "-bf", "0"]);
    let store = Store::package(dir.path(), &source);
    let frames = source.units(TrackKind::Video).count().to_string();
    for file in ["source/index.m3u8", "main.m3u8", "manifest.mpd"] {
        let file = store.path(file);
        let counted = probe(
            "stream=nb_read_packets",
            &["-count_packets", "-select_streams", "v"],
            &file,
        );
        // Where programmes are listed beside streams, the count stands there too.
        assert_eq!(
            counted.split_whitespace().next(),
            Some(frames.as_str()),
            "{}",
            file.display()
        );
    }
    decode_all(&store.path("main.m3u8"));
}

#[test]
fn a_download_of_two_epochs_is_one_file() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let one = Source::make(&dir.path().join("1"), &["-g", "60", "-bf", "2"]);
    let other = Source::make(&dir.path().join("2"), &["-g", "60", "-bf", "0", "-s", "640x360"]);
    for (source, descriptions) in [(&one, 1), (&other, 2)] {
        let first = Store::package(&dir.path().join("1"), &one);
        let second = Store::package_from(&dir.path().join("2"), source, 100, 20 * 90_000);
        let file = dir.path().join("download.mp4");
        let bytes = store::download(&[&first, &second]);
        std::fs::write(&file, &bytes).expect("disk has room");
        let moov = Moov::find(&bytes).expect("ours");
        let entries = |i: usize| moov.traks[i].media.info.table.descriptions.entries.len();
        assert_eq!((moov.traks.len(), entries(0), entries(1)), (2, descriptions, 1));
        let used: BTreeSet<_> = fragments(&bytes)
            .expect("ours")
            .iter()
            .map(|f| f.moof.trafs[0].header)
            .filter(|header| header.track_id == 1)
            .map(|header| header.sample_description_index)
            .collect();
        assert_eq!(used.len(), descriptions);
        // FFmpeg reads every fragment of a track by the first description.
        if descriptions == 1 {
            for (select, kind) in [("v", TrackKind::Video), ("a", TrackKind::Audio)] {
                assert_eq!(packets(&file, select).len(), one.units(kind).count() * 2);
            }
            decode_all(&file);
        }
    }
}

#[test]
fn a_second_box_reader_sees_what_was_written() {
    use mp4_atom::{Any, DecodeMaybe};
    let dir = tempfile::tempdir().expect("a temporary folder");
    let source = Source::make(dir.path(), &["-g", "60", "-bf", "2"]);
    let store = Store::package(dir.path(), &source);
    for (name, id) in [("source", 1), ("audio", 2)] {
        let bytes = std::fs::read(store.joined(name)).expect("written before");
        let mut buf = bytes.as_slice();
        let (mut kinds, mut samples, mut expected) = (Vec::new(), 0, None);
        while let Some(any) = Any::decode_maybe(&mut buf).expect("boxes") {
            match any {
                Any::Ftyp(ftyp) => {
                    assert_eq!(ftyp.major_brand, (*b"cmfc").into());
                    kinds.push("ftyp");
                }
                Any::Moov(moov) => {
                    assert_eq!(moov.trak.len(), 1);
                    assert_eq!(moov.trak[0].tkhd.track_id, id);
                    kinds.push("moov");
                }
                Any::Prft(prft) => {
                    assert_eq!(prft.reference_track_id, id);
                    kinds.push("prft");
                }
                Any::Moof(moof) => {
                    let [traf] = moof.traf.as_slice() else {
                        panic!("one traf")
                    };
                    assert_eq!((traf.tfhd.track_id, traf.tfhd.sample_description_index), (id, Some(1)));
                    let time = traf.tfdt.as_ref().expect("a tfdt").base_media_decode_time;
                    assert_eq!(expected.unwrap_or(time), time, "decode times run on");
                    let run = &traf.trun[0];
                    samples += run.samples.len();
                    let default = traf.tfhd.default_sample_duration;
                    let ticks = |d: Option<u32>| u64::from(d.or(default).expect("a duration"));
                    expected = Some(time + run.samples.iter().map(|e| ticks(e.duration)).sum::<u64>());
                }
                _ => {}
            }
        }
        assert_eq!(kinds[..2], ["ftyp", "moov"]);
        assert!(kinds[2..].iter().all(|k| *k == "prft") && kinds.len() > 30);
        let kind = if id == 1 { TrackKind::Video } else { TrackKind::Audio };
        assert_eq!(samples, source.units(kind).count());
    }
}
