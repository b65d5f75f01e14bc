//! One picture out of one coded picture: what the child does for thumbnails.

use super::wire::{StillAsk, StillMade, StillPicture};
use crate::codec::ffmpeg::{Ffmpeg, jpeg};
use crate::codec::{Backend as _, CodecError, Unit};

/// Decodes the random access point in `ask` and answers with its pictures, or with why there are none.
pub(super) fn make(ask: StillAsk) -> StillMade {
    match pictures(ask) {
        Ok(made) => made,
        Err(error) => StillMade {
            fault: format!(
                "{error}: {}",
                std::error::Error::source(&error).map_or_else(String::new, ToString::to_string)
            ),
            ..StillMade::default()
        },
    }
}

fn pictures(ask: StillAsk) -> Result<StillMade, CodecError> {
    let mut decoder = Ffmpeg::new(1).decoder(&ask.avcc)?;
    let unit = Unit {
        dts: 0,
        pts: 0,
        duration: None,
        key: true,
        data: ask.data,
    };
    let mut frames = decoder.decode(&unit)?;
    if frames.is_empty() {
        frames = decoder.finish()?;
    }
    let Some(frame) = frames.first() else {
        return Ok(StillMade {
            fault: "nothing came out of the decoder".into(),
            ..StillMade::default()
        });
    };
    let (pictures, shows) = jpeg::pictures(frame, &ask.widths)?;
    let picture = |jpeg: jpeg::Jpeg| StillPicture {
        width: jpeg.width,
        height: jpeg.height,
        jpeg: jpeg.data,
    };
    Ok(StillMade {
        pictures: pictures.into_iter().map(picture).collect(),
        shows,
        fault: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::media::Make;
    use headwater_media::{CodecConfig, TrackId};

    fn ask(make: &Make<'_>) -> StillAsk {
        let source = make.run();
        let track = source
            .epoch
            .tracks
            .iter()
            .find(|track| track.id == TrackId::VIDEO)
            .expect("a picture");
        let CodecConfig::H264(config) = &track.config else {
            panic!("H.264 was asked for")
        };
        StillAsk {
            avcc: config.record().clone(),
            data: source.of(TrackId::VIDEO).next().expect("a unit").data.clone(),
            widths: vec![320, 640, 1_280],
        }
    }

    #[test]
    fn one_coded_picture_is_enough_and_costs_little() {
        let ask = ask(&Make {
            size: "1920x1080",
            seconds: 0.5,
            audio: None,
            ..Make::default()
        });
        let began = std::time::Instant::now();
        let made = make(ask.clone());
        println!("three pictures of 1080p in {:?}", began.elapsed());
        assert_eq!((made.fault.as_str(), made.shows), ("", true));
        let sizes: Vec<_> = made
            .pictures
            .iter()
            .map(|picture| (picture.width, picture.height))
            .collect();
        assert_eq!(sizes, [(1_280, 720), (640, 360), (320, 180)]);
        for picture in &made.pictures {
            println!("{} x {}: {} bytes", picture.width, picture.height, picture.jpeg.len());
        }
        let small = StillAsk {
            widths: vec![320, 640],
            ..ask
        };
        let began = std::time::Instant::now();
        make(small);
        println!("two of them in {:?}", began.elapsed());
    }

    #[test]
    fn damage_is_answered_and_black_is_noticed() {
        let black = Make {
            video: &["-vf", "drawbox=c=black:t=fill"],
            seconds: 0.5,
            audio: None,
            ..Make::default()
        };
        let good = ask(&black);
        assert!(!make(good.clone()).shows);
        for broken in [
            StillAsk {
                data: good.data.slice(..good.data.len().min(9)),
                ..good.clone()
            },
            StillAsk {
                data: bytes::Bytes::from_static(&[0xff; 64]),
                ..good.clone()
            },
            StillAsk {
                avcc: bytes::Bytes::from_static(b"not a record"),
                ..good.clone()
            },
            StillAsk::default(),
        ] {
            let made = make(broken);
            assert!(made.pictures.is_empty() && !made.fault.is_empty());
        }
    }
}
