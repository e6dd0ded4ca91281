//! GIFs, from their bytes to pictures for an encoder.

use gif::DecodeOptions;

use super::canvas::Image;
use super::frames::Frames;
use super::model::Model;
use super::survey::{Survey, open};
use super::yuv::{I420, VideoFormat};
use super::{Deadline, LIMITS};

/// All of it as a GIF.
pub fn gif(data: &[u8]) {
    let Ok(survey) = Survey::of(data, &LIMITS, &Deadline::starting_now(LIMITS.wall_time)) else { return };
    check_limits(data, &survey);
    let Ok(mut frames) = Frames::of(data, &survey) else { unreachable!("it was opened before") };
    let mut by_the_book = ByTheBook::new(data, &survey);
    let mut picture = I420::new(VideoFormat::for_canvas(survey.width, survey.height));
    let mut seen = 0;
    loop {
        match frames.next_canvas() {
            Ok(Some(canvas)) => {
                by_the_book.next();
                by_the_book.model.check(canvas);
                picture.convert(canvas);
                check_picture(&picture);
            }
            // The survey does not look at image data, which may be broken, behind the last pixel of the last frame too.
            Err(_) => return assert!(seen <= survey.delays.len(), "more frames than delays"),
            Ok(None) => return assert_eq!(seen, survey.delays.len(), "as many frames as delays"),
        }
        seen += 1;
    }
}

fn check_limits(data: &[u8], survey: &Survey) {
    let Survey { width, height, ref delays } = *survey;
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
    decoder: gif::Decoder<super::survey::GifBytes<'a>>,
    model: Model,
}

impl<'a> ByTheBook<'a> {
    fn new(data: &'a [u8], survey: &Survey) -> Self {
        let Ok(decoder) = open(data, DecodeOptions::new()) else { unreachable!("it was opened before") };
        Self { decoder, model: Model::new(survey.width, survey.height) }
    }

    fn next(&mut self) {
        let Ok(Some(info)) = self.decoder.next_frame_info() else { unreachable!("it was read before") };
        let frame = info.clone();
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
