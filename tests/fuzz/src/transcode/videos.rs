//! GIFs, from their bytes to pictures for an encoder.

use gif::DecodeOptions;
use media_cache_gif_to_mp4::Deadline;
use media_cache_gif_to_mp4::fuzzing::{AnimationInfo, GifBytes, GifFrames, I420, Image, VideoFormat, inspect_gif, open};

use super::LIMITS;
use super::model::Model;

/// All of it as a GIF.
pub fn gif(data: &[u8]) {
    let Ok(info) = inspect_gif(data, &LIMITS, &Deadline::starting_now(LIMITS.wall_time)) else { return };
    check_limits(data, &info);
    let Ok(mut frames) = GifFrames::new(data, &info) else { unreachable!("it was opened before") };
    let mut by_the_book = ByTheBook::new(data, &info);
    let mut picture = I420::new(VideoFormat::for_canvas(info.width, info.height));
    let mut seen = 0;
    loop {
        match frames.next_canvas() {
            Ok(Some(canvas)) => {
                by_the_book.next();
                by_the_book.model.check(canvas);
                picture.convert(canvas);
                check_picture(&picture);
            }
            // The inspection does not look at image data, which may be broken, behind the last pixel of the last frame too.
            Err(_) => return assert!(seen <= info.delays.len(), "more frames than delays"),
            Ok(None) => return assert_eq!(seen, info.delays.len(), "as many frames as delays"),
        }
        seen += 1;
    }
}

fn check_limits(data: &[u8], info: &AnimationInfo) {
    let AnimationInfo { width, height, ref delays } = *info;
    assert!(data.len() <= LIMITS.input_bytes && (1..=LIMITS.frames).contains(&delays.len()));
    assert!((1..=LIMITS.side).contains(&width) && (1..=LIMITS.side).contains(&height));
    let pixels = u64::from(width) * u64::from(height);
    assert!(pixels <= LIMITS.canvas_pixels && pixels * delays.len() as u64 <= LIMITS.composited_pixels);
    assert!(delays.iter().all(|delay| *delay >= 2), "{delays:?}");
}

/// Luma and chroma within the limited range, for sides that an encoder takes.
fn check_picture(picture: &I420) {
    let (luma, blue, red) = picture.planes();
    assert!(luma.len() >= 256 && luma.len() == blue.len() * 4 && blue.len() == red.len());
    assert!(luma.iter().all(|luma| (16..=235).contains(luma)));
    assert!(blue.iter().chain(red).all(|chroma| (16..=240).contains(chroma)));
}

/// The same pictures by other means: a second decoder, and the model of a canvas.
struct ByTheBook<'a> {
    decoder: gif::Decoder<GifBytes<'a>>,
    model: Model,
}

impl<'a> ByTheBook<'a> {
    fn new(data: &'a [u8], info: &AnimationInfo) -> Self {
        let Ok(decoder) = open(data, DecodeOptions::new()) else { unreachable!("it was opened before") };
        Self { decoder, model: Model::new(info.width, info.height) }
    }

    fn next(&mut self) {
        let Ok(Some(next)) = self.decoder.next_frame_info() else { unreachable!("it was read before") };
        let frame = next.clone();
        let mut indices = vec![0; usize::from(frame.width) * usize::from(frame.height)];
        assert!(indices.len() as u64 <= LIMITS.canvas_pixels);
        // The decoder takes an image without pixels for a mistake, and browsers do not.
        if !indices.is_empty() {
            assert!(self.decoder.read_into_buffer(&mut indices).is_ok(), "it was read before");
        }
        let global = self.decoder.global_palette().unwrap_or_default();
        self.model.draw(&Image {
            left: frame.left.into(),
            top: frame.top.into(),
            width: frame.width.into(),
            indices: &indices,
            palette: frame.palette.as_deref().unwrap_or(global),
            transparent: frame.transparent,
            disposal: frame.dispose,
        });
    }
}
