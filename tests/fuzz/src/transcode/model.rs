//! The expected canvas according to the specification, drawn one pixel at a time, with a full copy of the canvas for disposal.

use media_cache_gif_to_mp4::fuzzing::{BACKDROP, Canvas, DisposalMethod, Image, Pixel};

pub(super) struct Model {
    width: usize,
    height: usize,
    shown: Vec<Pixel>,
    /// The canvas after the disposal of the last image.
    next: Vec<Pixel>,
}

impl Model {
    pub(super) fn new(width: u16, height: u16) -> Self {
        let (width, height) = (usize::from(width), usize::from(height));
        let shown = vec![BACKDROP; width * height];
        Self { width, height, next: shown.clone(), shown }
    }

    pub(super) fn draw(&mut self, image: &Image<'_>) {
        self.shown.clone_from(&self.next);
        let rows = image.indices.len().checked_div(image.width).unwrap_or(0);
        let at = |x: usize, y: usize| {
            let (x, y) = (image.left + x, image.top + y);
            (x < self.width && y < self.height).then_some(y * self.width + x)
        };
        let places: Vec<(usize, u8)> = (0..rows)
            .flat_map(|y| (0..image.width).map(move |x| (x, y)))
            .filter_map(|(x, y)| Some((at(x, y)?, image.indices[y * image.width + x])))
            .collect();
        for &(place, index) in &places {
            if image.transparent != Some(index) {
                let colour = image.palette.chunks_exact(3).nth(index.into());
                self.shown[place] = colour.map_or([0; 3], |colour| [colour[0], colour[1], colour[2]]);
            }
        }
        match image.disposal {
            DisposalMethod::Keep => self.next.clone_from(&self.shown),
            DisposalMethod::Previous => {}
            DisposalMethod::Background => {
                self.next.clone_from(&self.shown);
                places.iter().for_each(|&(place, _)| self.next[place] = BACKDROP);
            }
        }
    }

    pub(super) fn check(&self, canvas: &Canvas) {
        for (row, expected) in self.shown.chunks_exact(self.width).enumerate() {
            assert_eq!(canvas.row_or_last(row), expected, "row {row}");
        }
        assert_eq!(canvas.row_or_last(self.height), canvas.row_or_last(self.height - 1));
    }
}
