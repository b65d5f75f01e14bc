//! Thumbnails: of what is passed through and of what is encoded, with a poster that shows something, and at nobody's cost.

use std::path::PathBuf;
use std::time::Duration;

use headwater_platform::store::ObjectStore as _;

use crate::broadcast::Outcome;
use crate::still::Desk;
use crate::testing::farm::{BROADCAST, Farm, HANG, TENANT, rung, source};
use crate::testing::media::Make;

fn key(name: &str) -> String {
    format!("{TENANT}/{BROADCAST}/thumbnail/{name}")
}

/// The picture of this name, which is made beside the broadcast.
async fn picture(farm: &Farm, name: &str) -> Vec<u8> {
    let look = async {
        let mut every = tokio::time::interval(Duration::from_millis(20));
        loop {
            every.tick().await;
            if let Ok(jpeg) = farm.store.get(&key(name), None).await {
                return jpeg.to_vec();
            }
        }
    };
    tokio::time::timeout(HANG, look)
        .await
        .unwrap_or_else(|_| panic!("no {name} among {:?}", farm.store.keys()))
}

/// Width and height in the frame header (ITU-T T.81 §B.2.2).
fn size(jpeg: &[u8]) -> (u16, u16) {
    assert_eq!(&jpeg[..3], &[0xff, 0xd8, 0xff], "a JPEG");
    let at = jpeg
        .windows(2)
        .position(|word| word == [0xff, 0xc0])
        .expect("a baseline frame");
    let number = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
    (number(at + 7), number(at + 5))
}

#[tokio::test]
async fn pictures_come_from_the_smallest_rendition_passed_through_or_encoded() {
    let wide = Make {
        size: "704x396",
        ..Make::default()
    };
    let farm = Farm::new(vec![wide.run()], vec![source()]).await.pictured();
    assert_eq!(farm.run().await, Outcome::Finished);
    for (name, wanted) in [("640.jpg", (640, 360)), ("320.jpg", (320, 180))] {
        assert_eq!(size(&picture(&farm, &format!("poster-1-{name}")).await), wanted);
        assert_eq!(size(&picture(&farm, &format!("live-1-{name}")).await), wanted);
    }
    assert!(
        !farm.store.keys().contains(&key("live-1-1280.jpg")),
        "nothing is made larger than it is"
    );

    let farm = Farm::new(vec![wide.run()], vec![source(), rung("90p", 160, 90)])
        .await
        .pictured();
    assert_eq!(farm.run().await, Outcome::Finished);
    assert_eq!(
        size(&picture(&farm, "poster-1-160.jpg").await),
        (160, 90),
        "its own width, below all that are wanted"
    );
}

#[tokio::test]
async fn black_makes_a_picture_and_no_poster() {
    let black = Make {
        video: &["-vf", "drawbox=c=black:t=fill"],
        ..Make::default()
    };
    let farm = Farm::new(vec![black.run()], vec![source()]).await.pictured();
    assert_eq!(farm.run().await, Outcome::Finished);
    picture(&farm, "live-1-320.jpg").await;
    assert!(
        !farm.store.keys().iter().any(|key| key.contains("poster")),
        "{:?}",
        farm.store.keys()
    );
}

#[tokio::test]
async fn a_child_that_dies_costs_the_pictures_and_nothing_else() {
    let mut farm = Farm::new(vec![Make::default().run()], vec![source()]).await;
    farm.tools.desk = Desk::new(PathBuf::from("/bin/false"));
    assert_eq!(farm.run().await, Outcome::Finished);
    assert_eq!(farm.harm(), "");
    farm.stored().await.assert_unbroken("source");
    assert!(!farm.store.keys().iter().any(|key| key.contains("thumbnail")));
}
