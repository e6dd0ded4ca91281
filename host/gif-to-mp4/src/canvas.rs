//! The canvas on which a GIF's frames are composited, with the rules for offsets, clipping, transparency and disposal.
//!
//! There is no alpha channel: the canvas starts in the colour of the [`BACKDROP`], and disposal to the background restores it.

/// Red, green and blue.
pub type Pixel = [u8; 3];

/// The colour behind transparent pixels. Video has no transparency, so one colour must be chosen, and most chat clients and browsers show
/// images on white.
pub const BACKDROP: Pixel = [255, 255, 255];

/// The colour of an index beyond the palette.
const BLACK: Pixel = [0, 0, 0];

/// What happens to the image of a frame before the next frame is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DisposalMethod {
    /// It remains.
    #[default]
    Keep,
    /// Its rectangle is cleared.
    Background,
    /// The pixels that it covers are restored.
    Previous,
}

/// The image of one frame: palette indices, row by row from the top, and their position.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Columns between the left edge of the canvas and the image.
    pub left: usize,
    /// Rows between the top edge of the canvas and the image.
    pub top: usize,
    /// Width in pixels; zero for an empty image.
    pub width: usize,
    /// Palette indices.
    pub indices: &'a [u8],
    /// Red, green and blue of each index; indices beyond its end are black, as in Chromium. (In Firefox they are white.)
    pub palette: &'a [u8],
    /// The index that is not drawn.
    pub transparent: Option<u8>,
    /// What happens to the image before the next frame is drawn.
    pub disposal: DisposalMethod,
}

/// The canvas that frames are drawn on.
#[derive(Debug)]
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Pixel>,
    disposal: Disposal,
    /// For each row, whether the last frame or the disposal before it may have changed it.
    changed: Vec<bool>,
}

/// The disposal of the last frame, due before the next one is drawn.
#[derive(Debug)]
enum Disposal {
    Keep,
    Clear(Area),
    Restore(Area, Vec<Pixel>),
}

/// The part of an image that lies within the canvas.
#[derive(Debug, Clone, Copy)]
struct Area {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Canvas {
    /// A canvas in the colour of the backdrop. Width and height are in pixels, and at least 1.
    pub fn new(width: u16, height: u16) -> Self {
        let (width, height) = (usize::from(width), usize::from(height));
        Self { width, height, pixels: vec![BACKDROP; width * height], disposal: Disposal::Keep, changed: vec![false; height] }
    }

    /// A row of pixels; below the bottom edge, the last row.
    pub fn row_or_last(&self, row: usize) -> &[Pixel] {
        let start = row.min(self.height - 1) * self.width;
        &self.pixels[start..start + self.width]
    }

    /// Whether a row may differ from its state before the last frame was drawn. Below the bottom edge, the result for the last row.
    pub(crate) fn has_changed(&self, row: usize) -> bool {
        self.changed[row.min(self.height - 1)]
    }

    /// Disposes of the previous frame and draws the next one, clipped to the canvas.
    pub fn draw(&mut self, image: &Image<'_>) {
        self.changed.fill(false);
        if let Disposal::Clear(area) | Disposal::Restore(area, _) = &self.disposal {
            self.changed[area.top..area.top + area.height].fill(true);
        }
        self.dispose();
        let area = self.visible(image);
        self.disposal = match image.disposal {
            DisposalMethod::Keep => Disposal::Keep,
            DisposalMethod::Background => Disposal::Clear(area),
            DisposalMethod::Previous => Disposal::Restore(area, self.copy(area)),
        };
        if area.width == 0 || area.height == 0 {
            return;
        }
        let mut colours = [BLACK; 256];
        for (colour, entry) in colours.iter_mut().zip(image.palette.chunks_exact(3)) {
            colour.copy_from_slice(entry);
        }
        for (row, indices) in image.indices.chunks_exact(image.width).take(area.height).enumerate() {
            let mut changed = false;
            for (pixel, &index) in self.row_mut(area, row).iter_mut().zip(indices) {
                let colour = colours[usize::from(index)];
                if image.transparent != Some(index) {
                    changed |= *pixel != colour;
                    *pixel = colour;
                }
            }
            self.changed[area.top + row] |= changed;
        }
    }

    fn dispose(&mut self) {
        match std::mem::replace(&mut self.disposal, Disposal::Keep) {
            Disposal::Keep => {}
            Disposal::Clear(area) => {
                for row in 0..area.height {
                    self.row_mut(area, row).fill(BACKDROP);
                }
            }
            Disposal::Restore(area, saved) => {
                for (row, pixels) in saved.chunks_exact(area.width.max(1)).enumerate() {
                    self.row_mut(area, row).copy_from_slice(pixels);
                }
            }
        }
    }

    fn visible(&self, image: &Image<'_>) -> Area {
        let (left, top) = (image.left.min(self.width), image.top.min(self.height));
        let height = image.indices.len().checked_div(image.width).unwrap_or(0);
        Area { left, top, width: image.width.min(self.width - left), height: height.min(self.height - top) }
    }

    fn copy(&mut self, area: Area) -> Vec<Pixel> {
        let mut pixels = Vec::with_capacity(area.width * area.height);
        for row in 0..area.height {
            pixels.extend_from_slice(self.row_mut(area, row));
        }
        pixels
    }

    fn row_mut(&mut self, area: Area, row: usize) -> &mut [Pixel] {
        let start = (area.top + row) * self.width + area.left;
        &mut self.pixels[start..start + area.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Pixel = [255, 0, 0];
    const BLUE: Pixel = [0, 0, 255];
    const PALETTE: &[u8] = &[255, 0, 0, 0, 0, 255];

    fn image(left: usize, top: usize, width: usize, indices: &[u8], disposal: DisposalMethod) -> Image<'_> {
        Image { left, top, width, indices, palette: PALETTE, transparent: None, disposal }
    }

    fn rows(canvas: &Canvas) -> Vec<&[Pixel]> {
        canvas.pixels.chunks(canvas.width).collect()
    }

    #[test]
    fn frame_without_disposal_remains_under_the_next_frame() {
        let mut canvas = Canvas::new(2, 1);
        canvas.draw(&image(0, 0, 2, &[0, 0], DisposalMethod::Keep));
        canvas.draw(&image(1, 0, 1, &[1], DisposalMethod::Keep));
        assert_eq!(rows(&canvas), [[RED, BLUE]]);
    }

    #[test]
    fn disposal_to_the_background_clears_only_the_rectangle_of_the_frame() {
        let mut canvas = Canvas::new(3, 2);
        canvas.draw(&image(0, 0, 3, &[0; 6], DisposalMethod::Keep));
        canvas.draw(&image(1, 1, 1, &[1], DisposalMethod::Background));
        assert_eq!(rows(&canvas), [[RED, RED, RED], [RED, BLUE, RED]]);
        canvas.draw(&image(0, 0, 1, &[1], DisposalMethod::Keep));
        assert_eq!(rows(&canvas), [[BLUE, RED, RED], [RED, BACKDROP, RED]]);
    }

    #[test]
    fn disposal_to_the_previous_picture_restores_what_the_frame_covered() {
        let mut canvas = Canvas::new(3, 1);
        canvas.draw(&image(0, 0, 2, &[0, 0], DisposalMethod::Keep));
        canvas.draw(&image(1, 0, 2, &[1, 1], DisposalMethod::Previous));
        assert_eq!(rows(&canvas), [[RED, BLUE, BLUE]]);
        canvas.draw(&image(0, 0, 1, &[1], DisposalMethod::Keep));
        assert_eq!(rows(&canvas), [[BLUE, RED, BACKDROP]]);
    }

    #[test]
    fn transparent_index_leaves_the_canvas_unchanged_within_the_palette_and_beyond() {
        for transparent in [0, 2, 255] {
            let mut canvas = Canvas::new(4, 1);
            canvas.draw(&image(0, 0, 3, &[0, 0, 0], DisposalMethod::Keep));
            let indices = [transparent, 1, transparent, transparent];
            canvas.draw(&Image { transparent: Some(transparent), ..image(0, 0, 4, &indices, DisposalMethod::Keep) });
            assert_eq!(rows(&canvas), [[RED, BLUE, RED, BACKDROP]]);
        }
    }

    #[test]
    fn index_beyond_the_palette_is_black() {
        for (palette, expected) in
            [(PALETTE, [RED, BLUE, BLACK, BLACK]), (&PALETTE[..5], [RED, BLACK, BLACK, BLACK]), (&[], [BLACK; 4])]
        {
            let mut canvas = Canvas::new(4, 1);
            canvas.draw(&Image { palette, ..image(0, 0, 4, &[0, 1, 2, 255], DisposalMethod::Keep) });
            assert_eq!(rows(&canvas), [expected]);
        }
    }

    #[test]
    fn image_outside_the_canvas_is_clipped_with_every_disposal_method() {
        for disposal in [DisposalMethod::Keep, DisposalMethod::Background, DisposalMethod::Previous] {
            let mut canvas = Canvas::new(2, 2);
            canvas.draw(&image(1, 1, 3, &[0; 9], disposal));
            assert_eq!(rows(&canvas), [[BACKDROP, BACKDROP], [BACKDROP, RED]]);
            canvas.draw(&image(2, 0, 3, &[0; 9], disposal));
            canvas.draw(&image(0, 65_535, 3, &[0; 9], disposal));
            canvas.draw(&image(0, 0, 0, &[], disposal));
            canvas.draw(&image(0, 0, 1, &[1], DisposalMethod::Keep));
            assert_eq!(rows(&canvas)[0], [BLUE, BACKDROP]);
        }
    }

    #[test]
    fn changed_rows_are_those_with_changed_pixels_or_disposed_areas() {
        let mut canvas = Canvas::new(2, 6);
        let mut changed = |top, indices: &[u8], disposal| {
            canvas.draw(&image(0, top, 2, indices, disposal));
            (0..7).map(|row| u8::from(canvas.has_changed(row))).collect::<Vec<_>>()
        };
        assert_eq!(changed(1, &[0, 0, 1, 1], DisposalMethod::Keep), [0, 1, 1, 0, 0, 0, 0]);
        assert_eq!(changed(1, &[0, 0, 1, 0], DisposalMethod::Keep), [0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(changed(0, &[1, 1, 0, 0], DisposalMethod::Previous), [1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(changed(4, &[1, 1, 1, 1], DisposalMethod::Background), [1, 1, 0, 0, 1, 1, 1]);
        assert_eq!(changed(5, &[1, 1, 1, 1], DisposalMethod::Keep), [0, 0, 0, 0, 1, 1, 1]);
        assert_eq!(changed(6, &[1, 1], DisposalMethod::Keep), [0; 7]);
    }

    #[test]
    fn row_below_the_bottom_edge_is_the_last_row() {
        let mut canvas = Canvas::new(1, 2);
        canvas.draw(&image(0, 0, 1, &[0, 1], DisposalMethod::Keep));
        assert_eq!([canvas.row_or_last(0), canvas.row_or_last(1), canvas.row_or_last(2)], [[RED], [BLUE], [BLUE]]);
    }
}
