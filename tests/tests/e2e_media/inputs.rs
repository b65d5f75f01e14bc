//! What publishers send: sizes, rates, keyframes and sound of every kind.

use anyhow::Context as _;
use headwater_media::hls::validate::MultivariantPlaylist;
use headwater_tests::dev::Dev;
use headwater_tests::encoder;
use headwater_tests::http;
use headwater_tests::marks::{self, Film};

use super::Ended;

/// What must come of a film.
struct Expected {
    /// Name and `RESOLUTION` of each variant; without picture, none.
    variants: &'static [(&'static str, &'static str)],
    /// Pictures of each variant.
    frames: u64,
    /// Sample rate and channels, as ffprobe reads them.
    sound: Option<(&'static str, &'static str)>,
}

/// Pushes a film on a `Dev` of any ladder and holds its replay against what is expected.
async fn check(dev: &Dev, what: &str, film: &Film, expected: &Expected) -> anyhow::Result<()> {
    let ended = Ended::of(dev, film).await?;
    let playlist = MultivariantPlaylist::parse(&ended.multivariant).map_err(|f| anyhow::anyhow!("{what}: {f}"))?;
    assert_eq!(playlist.check(), [], "{what}: {}", ended.multivariant);
    let variants: Vec<_> = playlist
        .variants
        .iter()
        .map(|v| {
            let name = v.uri.rsplit('/').nth(1).unwrap_or_default();
            (name, v.attribute("RESOLUTION").unwrap_or_default())
        })
        .collect();
    let (with_picture, with_sound) = (film.size.is_some(), film.audio.is_some());
    if with_picture {
        assert_eq!(variants, expected.variants, "{what}: {}", ended.multivariant);
    }
    for variant in &playlist.variants {
        let codecs = variant.attribute("CODECS").unwrap_or_default();
        assert_eq!(codecs.contains("avc1."), with_picture, "{what}: {codecs}");
        assert_eq!(codecs.contains("mp4a.40.2"), with_sound, "{what}: {codecs}");
        let url = dev.play(&variant.uri);
        let body = http::get(&url).await?.text();
        super::live::check_playlist(&url, &body, film.fps);
        if with_picture {
            assert_eq!(
                encoder::decoded_frames(&url, "v:0").await?,
                expected.frames,
                "{what}: {url}"
            );
        }
    }
    if let Some((rate, channels)) = expected.sound {
        let heard = encoder::stream_entry(&dev.play("main.m3u8"), "a:0", "sample_rate,channels").await?;
        assert_eq!(heard, format!("{rate},{channels}"), "{what}");
        let sound = encoder::packets(&dev.play("main.m3u8"), "a:0").await?;
        let rate: f64 = rate.parse()?;
        let lasts = sound.len() as f64 * 1024.0 / rate;
        assert!(
            (lasts - f64::from(film.seconds)).abs() < 0.15,
            "{what}: {lasts} s of sound"
        );
    }
    Ok(())
}

const STEREO: Option<(&str, &str)> = Some(("48000", "2"));

#[tokio::test]
async fn tracks_and_sound_of_every_kind() -> anyhow::Result<()> {
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[]).await?;
    let film = Film {
        seconds: 5,
        ..Film::default()
    };
    let silent = Film {
        audio: None,
        ..film.clone()
    };
    let source: &[_] = &[("source", "640x360")];
    let expected = Expected {
        variants: source,
        frames: 150,
        sound: None,
    };
    check(&dev, "no sound", &silent, &expected).await?;
    let blind = Film {
        size: None,
        ..film.clone()
    };
    let expected = Expected {
        variants: &[],
        frames: 0,
        sound: STEREO,
    };
    check(&dev, "no picture", &blind, &expected).await?;
    let mono = Film {
        audio: Some("-ac 1 -ar 44100"),
        ..film.clone()
    };
    let expected = Expected {
        variants: source,
        frames: 150,
        sound: Some(("44100", "1")),
    };
    check(&dev, "44.1 kHz mono", &mono, &expected).await?;
    let irregular = Film {
        seconds: 8,
        video: "-g 300 -bf 2 -force_key_frames 0,0.7,1.9,3.5,4.1,6.3",
        ..film
    };
    let expected = Expected {
        variants: source,
        frames: 240,
        sound: STEREO,
    };
    check(&dev, "irregular keyframes", &irregular, &expected).await?;
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn pictures_of_every_shape() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    let film = |size, filters| Film {
        size: Some(size),
        filters,
        seconds: 4,
        video: "-g 30 -bf 0 -b:v 2000k -minrate 2000k -maxrate 2000k -bufsize 1000k -x264-params nal-hrd=cbr",
        ..Film::default()
    };
    let expect = |variants| Expected {
        variants,
        frames: 120,
        sound: STEREO,
    };
    let portrait = Film {
        video: "-g 30 -bf 0",
        ..film("360:640", "")
    };
    check(&dev, "portrait", &portrait, &expect(&[("source", "360x640")])).await?;
    let cropped = film("850:478", "");
    let variants = &[("source", "850x478"), ("360p", "640x360")];
    check(&dev, "not a multiple of 16", &cropped, &expect(variants)).await?;
    let stretched = film("640:480", ",setsar=4/3");
    let variants = &[("source", "853x480"), ("360p", "640x360")];
    check(&dev, "pixels that are not square", &stretched, &expect(variants)).await?;
    let fast = Film {
        fps: 60,
        video: "-g 60 -bf 0",
        ..film("640:360", "")
    };
    let expected = Expected {
        frames: 240,
        ..expect(&[("source", "640x360")])
    };
    check(&dev, "60 fps", &fast, &expected).await?;
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_source_of_long_gops_goes_on_encoded_and_loses_nothing() -> anyhow::Result<()> {
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[]).await?;
    let film = Film {
        seconds: 14,
        video: "-g 250 -bf 2",
        ..Film::default()
    };
    let ended = Ended::of(&dev, &film).await?;
    assert_eq!(ended.variants().len(), 1, "{}", ended.multivariant);
    let (_, uri) = ended.variants()[0];
    let url = dev.play(uri);
    let playlist = super::live::check_playlist(&url, &http::get(&url).await?.text(), film.fps);
    let mut epochs: Vec<_> = playlist.segments.iter().map(|s| s.map.clone()).collect();
    epochs.dedup();
    assert_eq!(epochs.len(), 2, "the source is judged once");
    // FFmpeg's readers know nothing but the first init segment, and the first sample description of a file.
    let all: Vec<u32> = (0..film.frames() as u32).collect();
    let download = dev.play(&format!("{}/download.mp4", ended.id));
    for whole in [dev.play("main.m3u8"), download] {
        let seen = marks::watch(&whole, 0, None).await?;
        assert_eq!(
            seen.numbers(),
            all,
            "{whole}: no picture is lost or shown twice where the epochs meet"
        );
        super::content::assert_together(&whole, &seen, 12);
        assert_eq!(encoder::decoded_frames(&whole, "v:0").await?, film.frames(), "{whole}");
    }
    dev.stop().await?;
    Ok(())
}

/// Debian has no encoder of HE-AAC, so the access units are AAC-LC at half the rate, and the record says that SBR doubles it:
/// decoders put up with SBR that does not come. Players do not, so it is encoded anew.
#[tokio::test]
async fn he_aac_of_both_versions_is_heard_whole_and_together() -> anyhow::Result<()> {
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[]).await?;
    let folder = tempfile::tempdir()?;
    // What FFmpeg writes for AAC-LC at 24 kHz, and explicit SBR, or SBR with parametric stereo, in its place.
    for (what, audio, written, record) in [
        (
            "v1",
            "-ac 2 -ar 24000",
            *b"\x13\x10\x56\xe5\x00",
            *b"\x2b\x11\x88\x00\x00",
        ),
        (
            "v2",
            "-ac 1 -ar 24000",
            *b"\x13\x08\x56\xe5\x00",
            *b"\xeb\x09\x88\x00\x00",
        ),
    ] {
        let film = Film {
            audio: Some(audio),
            ..Film::default()
        };
        let file = folder.path().join(format!("{what}.flv"));
        film.shoot(&file).await?;
        let mut bytes = std::fs::read(&file)?;
        let header = [&[0xaf, 0][..], &written].concat();
        let at = bytes.windows(header.len()).position(|window| window == header);
        let at = at.with_context(|| format!("{what}: no configuration"))? + 2;
        bytes[at..at + record.len()].copy_from_slice(&record);
        std::fs::write(&file, bytes)?;
        let encoder = encoder::push_file(&file, &dev.push_url())?;
        dev.wait_for_state(&["live"], super::LIVE_LIMIT).await?;
        encoder.finished().await?;
        let ended = Ended::wait(&dev).await?;
        assert_eq!(
            ended.multivariant.matches("mp4a.40.2").count(),
            1,
            "{what}: {}",
            ended.multivariant
        );
        let url = dev.play("main.m3u8");
        let heard = encoder::stream_entry(&url, "a:0", "sample_rate,channels").await?;
        assert_eq!(heard, "48000,2", "{what}");
        let sound = encoder::packets(&url, "a:0").await?;
        let lasts = sound.len() as f64 * 1024.0 / 48_000.0;
        assert!(
            (lasts - f64::from(film.seconds)).abs() < 0.15,
            "{what}: {lasts} s of sound"
        );
        assert_eq!(encoder::decoded_frames(&url, "v:0").await?, film.frames(), "{what}");
        super::content::assert_together(what, &marks::watch(&url, 0, None).await?, 4);
    }
    dev.stop().await?;
    Ok(())
}
