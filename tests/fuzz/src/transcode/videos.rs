//! GIFs, from their bytes to frames for an encoder.

use media_cache_gif_to_mp4::Deadline;
use media_cache_gif_to_mp4::fuzzing::{AnimationInfo, GifFrames, I420, Image, VideoFormat, inspect_gif};

use super::LIMITS;
use super::model::Model;
use super::reference::{Frame, Reference};

/// The input is a GIF.
pub fn gif(data: &[u8]) {
    let Ok(info) = inspect_gif(data, &LIMITS, &Deadline::starting_now(LIMITS.wall_time)) else { return };
    check_limits(data, &info);
    let Ok(mut frames) = GifFrames::new(data, &info) else { unreachable!("it was opened before") };
    let Some(reference) = Reference::read(data) else { unreachable!("it has frames") };
    check_headers(&info, &reference);
    let mut model = Model::new(info.width, info.height);
    let mut picture = I420::new(VideoFormat::for_canvas(info.width, info.height));
    for (number, frame) in reference.frames.iter().enumerate() {
        // The inspection does not read image data, which may be damaged. Damage to the last of several frames is not an error.
        let Some(indices) = frame.indices() else {
            let is_dropped = number > 0 && number + 1 == reference.frames.len();
            return match frames.next_canvas() {
                Ok(None) => assert!(is_dropped, "frame {number} is damaged"),
                Ok(Some(_)) => unreachable!("frame {number} is damaged"),
                Err(error) => assert!(!is_dropped, "frame {number}: {error}"),
            };
        };
        let Ok(Some(canvas)) = frames.next_canvas() else { unreachable!("frame {number} is complete") };
        model.draw(&image(frame, &indices));
        model.check(canvas);
        picture.convert(canvas);
        check_picture(&picture);
    }
    assert!(matches!(frames.next_canvas(), Ok(None)), "there are no further frames");
}

fn image<'a>(frame: &'a Frame<'a>, indices: &'a [u8]) -> Image<'a> {
    let Frame { left, top, width, palette, transparent, disposal, .. } = *frame;
    Image { left, top, width, indices, palette, transparent, disposal }
}

fn check_headers(info: &AnimationInfo, reference: &Reference<'_>) {
    assert_eq!((u32::from(info.width), u32::from(info.height)), (reference.width, reference.height));
    let delays = reference.frames.iter().map(|frame| if frame.delay < 2 { 10 } else { frame.delay });
    assert_eq!(info.delays, delays.collect::<Vec<_>>());
}

fn check_limits(data: &[u8], info: &AnimationInfo) {
    let AnimationInfo { width, height, ref delays } = *info;
    assert!(data.len() <= LIMITS.input_bytes && (1..=LIMITS.frames).contains(&delays.len()));
    assert!((1..=LIMITS.side).contains(&width) && (1..=LIMITS.side).contains(&height));
    let pixels = u64::from(width) * u64::from(height);
    assert!(pixels <= LIMITS.canvas_pixels && pixels * delays.len() as u64 <= LIMITS.composited_pixels);
    assert!(delays.iter().all(|delay| *delay >= 2), "{delays:?}");
}

/// Checks that luma and chroma are within the limited range, and that an encoder accepts the dimensions.
fn check_picture(picture: &I420) {
    let (luma, blue, red) = picture.planes();
    assert!(luma.len() >= 256 && luma.len() == blue.len() * 4 && blue.len() == red.len());
    assert!(luma.iter().all(|luma| (16..=235).contains(luma)));
    assert!(blue.iter().chain(red).all(|chroma| (16..=240).contains(chroma)));
}
