//! The GIFs of the bench, generated arithmetically: one or more of each kind that people post.

use crate::drawing::{Colour, Picture, Random, landscape, noise, sine};
use crate::gif_file::{Dither, Store, encode};

/// A GIF of the corpus.
pub struct Sample {
    pub name: String,
    pub gif: Vec<u8>,
}

/// All GIFs.
pub fn corpus() -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut add = |name: &str, gif: Vec<u8>| samples.push(Sample { name: name.into(), gif });
    add("video-diffused", encode(video(400, 224, 48, 1), Dither::Diffused, Store::Whole, 4));
    add("video-ordered", encode(video(320, 240, 60, 2), Dither::Ordered, Store::Changes, 5));
    add("video-undithered", encode(video(480, 270, 40, 3), Dither::None, Store::Whole, 4));
    add("video-grain", encode(grain(240, 180, 40), Dither::Diffused, Store::Whole, 8));
    add("video-moving", encode(pan(352, 288, 60), Dither::Ordered, Store::Whole, 4));
    add("reaction", encode(reaction(220, 220, 36), Dither::Diffused, Store::Changes, 6));
    add("still", encode(video(640, 480, 1, 4), Dither::Diffused, Store::Whole, 0));
    add("cartoon", encode(cartoon(480, 360, 72), Dither::None, Store::Changes, 5));
    add("cartoon-small", encode(cartoon(200, 150, 30), Dither::None, Store::Whole, 8));
    add("fades", encode(fades(320, 200, 40), Dither::Ordered, Store::Whole, 7));
    add("slides", encode(slides(480, 360, 90), Dither::None, Store::Whole, 10));
    add("typing", encode(typing(800, 500, 120), Dither::None, Store::Changes, 8));
    add("terminal", encode(terminal(640, 400, 80), Dither::None, Store::Whole, 6));
    add("desktop", encode(desktop(1280, 720, 100), Dither::None, Store::Changes, 5));
    add("desktop-large", encode(desktop(1680, 1050, 150), Dither::None, Store::Changes, 5));
    add("dashboard", encode(dashboard(1280, 800, 180), Dither::None, Store::Changes, 4));
    add("large-spinner", encode(spinner(1920, 1080, 60), Dither::None, Store::Changes, 3));
    add("long", encode(cartoon(160, 120, 600), Dither::None, Store::Changes, 4));
    for (number, side) in [(0, 32), (1, 48), (2, 64), (3, 96), (4, 112), (5, 128)] {
        add(&format!("emoji-{side}"), encode(emoji(side, 10 + number * 4, number), Dither::None, Store::Cleared, 5));
    }
    add("loop-tiny", encode(emoji(18, 4, 9), Dither::None, Store::Whole, 12));
    samples
}

type Frames = Box<dyn Iterator<Item = Picture>>;

fn video(width: i32, height: i32, frames: i32, seed: i32) -> Frames {
    Box::new((0..frames).map(move |frame| {
        let mut picture = Picture::new(width, height, [0; 3]);
        picture.shade(|x, y| landscape(x + frame / 2, y, seed));
        let sway = sine(frame * 5) / 8;
        picture.ellipse(width / 2 + sway, height * 2 / 3, (width / 9, height / 4), [150, 60, 50], 0);
        picture.ellipse(width / 2 + sway, height / 3, (width / 14, height / 8), [225, 180, 150], 0);
        picture.ellipse(width / 2 + sway - 6, height / 3 - 4, (3, 3), [30, 30, 40], 0);
        picture.ellipse(width / 2 + sway + 8, height / 3 - 4, (3, 3), [30, 30, 40], 0);
        picture
    }))
}

fn pan(width: i32, height: i32, frames: i32) -> Frames {
    Box::new((0..frames).map(move |frame| {
        let mut picture = Picture::new(width, height, [0; 3]);
        picture.shade(|x, y| landscape(x + frame * 3, y + sine(frame * 4) / 32, 7));
        picture
    }))
}

fn grain(width: i32, height: i32, frames: i32) -> Frames {
    Box::new(video(width, height, frames, 5).zip(0..).map(|(mut picture, frame)| {
        let mut random = Random::new(frame);
        for pixel in &mut picture.pixels {
            let grain = random.below(17) - 8;
            *pixel = pixel.map(|channel| (i32::from(channel) + grain).clamp(0, 255) as u8);
        }
        picture
    }))
}

/// A face in front of a static, blurred background, with a caption below.
fn reaction(width: i32, height: i32, frames: i32) -> Frames {
    Box::new((0..frames).map(move |frame| {
        let mut picture = Picture::new(width, height, [0; 3]);
        picture.shade(|x, y| [noise(x, y, 6, 1), noise(x, y, 6, 2), noise(x, y, 5, 3)].map(|channel| (channel / 2 + 40) as u8));
        let (x, y) = (width / 2 + sine(frame * 7) / 16, height / 2 + sine(frame * 14) / 32);
        picture.ellipse(x, y, (width / 4, height / 3), [222, 178, 150], 0);
        for side in [-1, 1] {
            picture.ellipse(x + side * width / 10, y - height / 10, (width / 26, height / 32), [250; 3], 1);
            picture.ellipse(x + side * width / 10 + sine(frame * 9) / 64, y - height / 10, (4, 4), [40, 60, 90], 0);
        }
        picture.ellipse(x, y + height / 7, (width / 12, 2 + (frame % 9)), [150, 50, 60], 1);
        picture.text(width / 8, height - 30, b"WHEN THE TESTS", 2, [255; 3]);
        picture
    }))
}

const FLAT: [Colour; 6] = [[240, 90, 70], [250, 200, 60], [80, 180, 110], [70, 130, 220], [160, 90, 200], [245, 245, 240]];

fn cartoon(width: i32, height: i32, frames: i32) -> Frames {
    Box::new((0..frames).map(move |frame| {
        let mut picture = Picture::new(width, height, [150, 210, 250]);
        picture.rectangle(0, height * 3 / 4, width, height / 4, [110, 190, 90]);
        picture.ellipse(width - 50, 40, (24, 24), FLAT[1], 2);
        for (number, colour) in (0..).zip(FLAT) {
            let phase = frame * (3 + number) + number * 40;
            let (x, y) = (width / 2 + sine(phase) * width / 640, height / 2 + sine(phase + 64 + number * 11) * height / 720);
            let size = width / 20 + number * 3;
            picture.ellipse(x, y, (size, size + sine(frame * 12) / 40), colour, 2);
            picture.ellipse(x - size / 3, y - size / 4, (size / 6 + 1, size / 6 + 1), [20; 3], 0);
            picture.ellipse(x + size / 3, y - size / 4, (size / 6 + 1, size / 6 + 1), [20; 3], 0);
        }
        picture
    }))
}

fn fades(width: i32, height: i32, frames: i32) -> Frames {
    Box::new((0..frames).map(move |frame| {
        let (scene, step) = (frame / 10, frame % 10);
        let mut picture = Picture::new(width, height, [0; 3]);
        picture.shade(|x, y| {
            let (from, to) = (landscape(x, y, 20 + scene), landscape(x + 99, y, 21 + scene));
            [0, 1, 2].map(|channel| ((i32::from(from[channel]) * (10 - step) + i32::from(to[channel]) * step) / 10) as u8)
        });
        picture
    }))
}

/// Each slide is shown for fifteen equal frames.
fn slides(width: i32, height: i32, frames: i32) -> Frames {
    Box::new((0..frames).map(move |frame| {
        let slide = frame / 15;
        let mut picture = Picture::new(width, height, FLAT[5]);
        picture.rectangle(0, 0, width, 48, FLAT[(slide % 5) as usize]);
        picture.text(20, 16, &letters(slide as u64, 20), 2, [255; 3]);
        for line in 0..9 {
            picture.text(30, 80 + line * 28, &letters((slide * 100 + line) as u64, 32), 2, [50, 50, 60]);
        }
        picture
    }))
}

/// Random words.
fn letters(seed: u64, count: i32) -> Vec<u8> {
    let mut random = Random::new(seed + 77);
    (0..count).map(|_| if random.below(6) == 0 { b' ' } else { b'a' + random.below(26) as u8 }).collect()
}

/// An editor in which text is typed.
fn typing(width: i32, height: i32, frames: i32) -> Frames {
    let mut page = Picture::new(width, height, [30, 32, 40]);
    page.rectangle(0, 0, 160, height, [40, 42, 54]);
    for line in 0..height / 22 {
        page.text(10, 12 + line * 22, &letters(line as u64, 11), 2, [120, 130, 150]);
    }
    Box::new((0..frames).map(move |frame| {
        let (line, column) = (frame * 2 / 40, frame * 2 % 40);
        for typed in column..column + 2 {
            let letter = letters(line as u64 + 500, 40)[typed as usize % 40];
            page.text(180 + typed * 12, 12 + line * 22, &[letter], 2, [[220; 3], FLAT[2], FLAT[3]][(typed / 7 % 3) as usize]);
        }
        let mut picture = page.clone();
        if frame % 8 < 4 {
            picture.rectangle(180 + (column + 2) * 12, 10 + line * 22, 2, 18, [240; 3]);
        }
        picture
    }))
}

/// A terminal that scrolls by one line in every other frame.
fn terminal(width: i32, height: i32, frames: i32) -> Frames {
    Box::new((0..frames).map(move |frame| {
        let mut picture = Picture::new(width, height, [12, 12, 12]);
        for row in 0..height / 18 {
            let line = (row + frame / 2) as u64;
            let length = 10 + Random::new(line).below(40);
            picture.text(8, 6 + row * 18, &letters(line, length), 2, if line.is_multiple_of(5) { FLAT[2] } else { [200; 3] });
        }
        picture
    }))
}

/// A desktop on which a window is moved by a pointer.
fn desktop(width: i32, height: i32, frames: i32) -> Frames {
    let mut wallpaper = Picture::new(width, height, [0; 3]);
    wallpaper.shade(|x, y| [(30 + y / 16) as u8 & 0xf8, (60 + x / 32) as u8 & 0xf8, 120]);
    wallpaper.rectangle(0, height - 40, width, 40, [40, 40, 50]);
    for icon in 0..8 {
        wallpaper.rectangle(20 + icon * 60, height - 34, 28, 28, FLAT[icon as usize % 6]);
    }
    Box::new((0..frames).map(move |frame| {
        let mut picture = wallpaper.clone();
        let moved = (frame.clamp(20, 70) - 20) * 6;
        for (left, top, seed) in [(80, 60, 1000), (300 + moved, 140 + moved / 4, 2000)] {
            picture.rectangle(left, top, 480, 340, [250; 3]);
            picture.rectangle(left, top, 480, 26, [200, 205, 215]);
            picture.text(left + 10, top + 6, &letters(seed, 18), 2, [60; 3]);
            for line in 0..13 {
                picture.text(left + 14, top + 40 + line * 22, &letters(seed + line as u64, 36), 2, [40, 40, 46]);
            }
        }
        let (x, y) = (330 + moved + sine(frame.min(20) * 3) / 8, 150 + moved / 4);
        for row in 0..14 {
            picture.rectangle(x, y + row, 10 - (row - 4).abs(), 1, [0; 3]);
        }
        picture
    }))
}

/// Moving charts, changing numbers and a progress bar: most of a large picture remains the same.
fn dashboard(width: i32, height: i32, frames: i32) -> Frames {
    Box::new((0..frames).map(move |frame| {
        let mut picture = Picture::new(width, height, [24, 27, 38]);
        for panel in 0..6 {
            let (left, top) = (20 + panel % 3 * (width / 3 - 4), 70 + panel / 3 * (height / 2 - 40));
            picture.rectangle(left, top, width / 3 - 24, height / 2 - 70, [36, 40, 56]);
            picture.text(left + 12, top + 10, &letters(panel as u64 + 40, 14), 2, [170, 176, 190]);
            for column in 0..(width / 3 - 44) / 4 {
                let value = noise((column + frame) * 4, panel * 64, 5, panel) * (height / 2 - 150) / 255;
                picture.rectangle(left + 10 + column * 4, top + height / 2 - 90 - value, 3, 3 + value / 4, FLAT[panel as usize]);
            }
        }
        picture.text(24, 24, &letters(frame as u64 / 4, 12), 3, [255; 3]);
        picture.rectangle(width / 2, 30, frame * (width / 2 - 30) / 180, 12, FLAT[2]);
        picture
    }))
}

/// A large page on which only a small circle of dots turns.
fn spinner(width: i32, height: i32, frames: i32) -> Frames {
    let mut page = Picture::new(width, height, [248; 3]);
    page.rectangle(0, 0, width, 64, FLAT[3]);
    for line in 0..36 {
        page.text(60, 100 + line * 26, &letters(line as u64 + 9000, 70), 2, [70; 3]);
    }
    page.shade_photo(1200, 140, 600, 400);
    Box::new((0..frames).map(move |frame| {
        let mut picture = page.clone();
        for dot in 0..8 {
            let light = 90 + ((dot * 32 - frame * 16).rem_euclid(256) / 2) as u8;
            picture.ellipse(1500 + sine(dot * 32) / 6, 800 + sine(dot * 32 + 64) / 6, (9, 9), [light; 3], 0);
        }
        picture
    }))
}

impl Picture {
    fn shade_photo(&mut self, left: i32, top: i32, width: i32, height: i32) {
        for y in 0..height {
            for x in 0..width {
                self.pixels[((top + y) * self.width + left + x) as usize] = landscape(x, y / 2, 31);
            }
        }
    }
}

/// A face on a transparent (here: white) background.
fn emoji(side: i32, frames: i32, kind: i32) -> Frames {
    Box::new((0..frames).map(move |frame| {
        let mut picture = Picture::new(side, side, [255; 3]);
        let turn = frame * 256 / frames;
        let (x, y) = (side / 2 + sine(turn) * side / 2600, side / 2 - sine(turn * (1 + kind % 2)).abs() * side / 2600);
        let (size, eye) = (side * 2 / 5, side / 14 + 1);
        picture.ellipse(x, y, (size, size - sine(turn).abs() * side / 4000), FLAT[(1 + kind as usize % 4) % 6], side / 40 + 1);
        for eyes in [-1, 1] {
            let blink = if frame % 7 == 0 { 1 } else { eye };
            picture.ellipse(x + eyes * size * 2 / 5, y - size / 4, (eye, blink), [40, 30, 20], 0);
        }
        picture.ellipse(x, y + size / 2, (size / 2, 1 + size / 6 + sine(turn) * size / 2048), [120, 30, 30], 1);
        picture
    }))
}
