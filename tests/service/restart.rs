//! What a service knew when it was stopped, the next one knows.

use crate::files::{gif, png};
use crate::origin::Origin;
use crate::place::{Place, SNAPSHOT};

#[tokio::test]
async fn a_restart_finds_everything_and_asks_no_origin() {
    let (origin, place) = (Origin::start().await, Place::new());
    let mut urls: Vec<String> = (0..5).map(|number| origin.serves(&format!("/{number}.png"), "image/png", png(number))).collect();
    urls.push(origin.serves("/dance.gif", "image/gif", gif(&[10, 20])));
    let service = place.serve().await;
    let mut before = Vec::new();
    for url in &urls {
        before.push(service.media(url).await.is("miss"));
    }
    service.stop().await;
    let service = place.serve().await;
    for (url, before) in urls.iter().zip(before) {
        let after = service.media(url).await.is("hit");
        assert_eq!(after.body, before.body);
        for header in ["content-type", "content-disposition", "etag", "last-modified"] {
            assert_eq!(after.header(header), before.header(header), "{header}");
        }
    }
    assert_eq!(origin.asked_in_all(), 6);
    let load = &service.stats().await["load"];
    assert_eq!((&load["entries"], &load["from_snapshot"], &load["damaged"]), (&6.into(), &6.into(), &0.into()));
}

#[tokio::test]
async fn the_order_of_use_and_the_hits_outlive_a_restart() {
    let (origin, place) = (Origin::start().await, Place::new());
    let [a, b, c] = ["/a.png", "/b.png", "/c.png"].map(|path| origin.serves(path, "image/png", png(1)));
    let service = place.serve().await;
    for url in [&a, &b, &c] {
        service.media(url).await.is("miss");
    }
    service.media(&a).await.is("hit");
    service.stop().await;
    assert_eq!(place.order().await, [&b, &c, &a].map(String::as_str));

    let service = place.serve().await;
    service.media(&b).await.is("hit");
    service.media(&a).await.is("hit");
    service.stop().await;
    let listed = place.listed().await;
    let summary: Vec<_> = listed.iter().map(|entry| (entry["url"].as_str().unwrap(), entry["hits"].as_u64().unwrap())).collect();
    assert_eq!(summary, [(c.as_str(), 0), (b.as_str(), 1), (a.as_str(), 2)]);
}

#[tokio::test]
async fn the_order_of_use_decides_what_goes_after_a_restart() {
    let (origin, place) = (Origin::start().await, Place::new());
    let urls: Vec<String> =
        (0..10).map(|number| origin.serves(&format!("/{number}.png"), "image/png", crate::files::photo(number))).collect();
    let budget = ["--max-size-mb", "1"];
    let service = place.serve_with(&budget).await;
    for url in &urls[..9] {
        service.media(url).await.is("miss");
    }
    service.media(&urls[0]).await.is("hit");
    service.stop().await;
    let service = place.serve_with(&budget).await;
    service.media(&urls[9]).await.is("miss");
    let held: Vec<bool> = urls.iter().map(|url| place.holds(url)).collect();
    assert_eq!(held, (0..10).map(|number| number != 1).collect::<Vec<_>>(), "the least recently used one went");
}

#[tokio::test]
async fn a_snapshot_that_is_gone_or_damaged_costs_nothing_but_the_order() {
    let place = Place::new();
    let urls: Vec<String> = (0..3).map(|number| format!("https://nowhere.invalid/{number}.png")).collect();
    let service = place.serve().await;
    for (url, seed) in urls.iter().zip(0..) {
        assert_eq!(service.put(url, "image/png", png(seed)).await.status, 201);
    }
    service.stop().await;
    let snapshot = place.directory().join(SNAPSHOT);
    for damage in [None, Some(&b"\xff\x00 this is not it\n{}\n"[..]), Some(b"")] {
        match damage {
            None => std::fs::remove_file(&snapshot).unwrap(),
            Some(bytes) => std::fs::write(&snapshot, bytes).unwrap(),
        }
        let service = place.serve().await;
        for (url, seed) in urls.iter().zip(0..) {
            assert_eq!(service.media(url).await.is("hit").body, png(seed));
        }
        assert_eq!(service.stats().await["load"]["from_snapshot"], 0);
        service.stop().await;
    }
}

#[tokio::test]
async fn files_that_are_not_ours_are_left_alone() {
    let place = Place::new();
    std::fs::create_dir(place.directory()).unwrap();
    let foreign = ["notes.txt", "picture.dat", "picture.json", "something.tmp"];
    for name in foreign {
        std::fs::write(place.directory().join(name), "mine").unwrap();
    }
    let service = place.serve().await;
    assert_eq!(service.stats().await["load"]["damaged"], 0);
    service.stop().await;
    for name in foreign {
        assert_eq!(std::fs::read(place.directory().join(name)).unwrap(), b"mine", "{name}");
    }
}
