//! GIFs, from their bytes to pictures for an encoder.

use gif::{DecodeOptions, Decoder};
use media_cache_gif_to_mp4::Deadline;
use media_cache_gif_to_mp4::fuzzing::{AnimationInfo, Canvas, DisposalMethod, GifFrames, I420, Image, VideoFormat, inspect_gif};

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
                by_the_book.check_next(canvas);
                picture.convert(canvas);
                check_picture(&picture);
            }
            // The inspection does not look at image data, which may be damaged. In the last of several frames that is no error.
            Err(_) => return assert!(seen == 0 || seen + 1 < info.delays.len(), "a damaged frame before the last"),
            Ok(None) => {
                return assert!((info.delays.len().max(2) - 1..=info.delays.len()).contains(&seen), "all frames but a damaged one");
            }
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

/// The same pictures by other means: the decoder of another project, and the model of a canvas. That decoder is stricter; the pictures
/// are compared up to the first frame that it rejects.
struct ByTheBook<'a> {
    decoder: Option<Decoder<&'a [u8]>>,
    model: Model,
}

impl<'a> ByTheBook<'a> {
    fn new(data: &'a [u8], info: &AnimationInfo) -> Self {
        let decoder = DecodeOptions::new().read_info(data).ok().filter(|_| !has_disputed_control_block(data));
        Self { decoder, model: Model::new(info.width, info.height) }
    }

    fn check_next(&mut self, canvas: &Canvas) {
        match self.decoder.as_mut().and_then(|decoder| Self::draw_next(decoder, &mut self.model)) {
            Some(()) => self.model.check(canvas),
            None => self.decoder = None,
        }
    }

    fn draw_next(decoder: &mut Decoder<&[u8]>, model: &mut Model) -> Option<()> {
        let frame = decoder.next_frame_info().ok()??.clone();
        let mut indices = vec![0; usize::from(frame.width) * usize::from(frame.height)];
        assert!(indices.len() as u64 <= LIMITS.canvas_pixels);
        // The decoder takes an image without pixels for a mistake, and browsers do not.
        if !indices.is_empty() {
            decoder.read_into_buffer(&mut indices).ok()?;
        }
        let global = decoder.global_palette().unwrap_or_default();
        model.draw(&Image {
            left: frame.left.into(),
            top: frame.top.into(),
            width: frame.width.into(),
            indices: &indices,
            palette: frame.palette.as_deref().unwrap_or(global),
            transparent: frame.transparent,
            disposal: match frame.dispose {
                gif::DisposalMethod::Any | gif::DisposalMethod::Keep => DisposalMethod::Keep,
                gif::DisposalMethod::Background => DisposalMethod::Background,
                gif::DisposalMethod::Previous => DisposalMethod::Previous,
            },
        });
        Some(())
    }
}

/// Whether a graphic control extension may have more or less than its four bytes, or a disposal of 4. The decoders disagree about those.
fn has_disputed_control_block(data: &[u8]) -> bool {
    let is_disputed = |bytes: &[u8]| bytes[2] != 4 || bytes[7] != 0 || bytes[3] >> 2 & 7 == 4;
    data.windows(8).any(|bytes| bytes.starts_with(&[0x21, 0xf9]) && is_disputed(bytes))
}
