//! Images of any shape, drawn at any position.

use media_cache_gif_to_mp4::fuzzing::{Canvas, DisposalMethod, Image};

use super::model::Model;
use crate::input::Input;

/// The input: a width and a height, and then images, each with bytes for its disposal, position, size, palette and transparency, and its
/// pixels.
pub fn canvas(data: &[u8]) {
    let mut input = Input::new(data);
    let (width, height) = (u16::from(input.byte() % 24) + 1, u16::from(input.byte() % 24) + 1);
    let mut canvas = Canvas::new(width, height);
    let mut model = Model::new(width, height);
    let mut drawn = 0;
    while !input.is_empty() && drawn < 50 {
        let kind = input.byte();
        let disposal = match kind % 4 {
            0 | 1 => DisposalMethod::Keep,
            2 => DisposalMethod::Background,
            _ => DisposalMethod::Previous,
        };
        // One bit for each rare case: an image far outside the canvas, one with fewer pixels than it declares, and one with more.
        let far = if kind & 0x10 > 0 { 65_280 } else { 0 };
        let [left, top] = [(); 2].map(|()| usize::from(input.byte() % 32) + far);
        let [image_width, image_height] = [(); 2].map(|()| usize::from(input.byte() % 32));
        let palette = input.take(usize::from(kind >> 5) * 3 + 2);
        let transparent = Some(input.byte()).filter(|index| index & 0x80 == 0);
        let pixels = image_width * image_height;
        let mut indices = input.take(pixels).to_vec();
        if kind & 4 == 0 {
            indices.resize(pixels, kind >> 5);
        }
        if kind & 8 > 0 {
            indices.push(0);
        }
        let image = Image { left, top, width: image_width, indices: &indices, palette, transparent, disposal };
        canvas.draw(&image);
        model.draw(&image);
        model.check(&canvas);
        drawn += 1;
    }
}
