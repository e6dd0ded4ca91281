//! Draws the RGB pictures of the corpus. The same calls produce the same pixels on every machine, since all numbers are integers.

/// Red, green and blue.
pub type Colour = [u8; 3];

/// Pseudo-random numbers (xorshift).
pub struct Random(u64);

impl Random {
    /// Numbers that depend on this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: i32) -> i32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) % end.unsigned_abs().max(1) as u64) as i32
    }
}

/// A picture.
#[derive(Clone)]
pub struct Picture {
    pub width: i32,
    pub height: i32,
    pub pixels: Vec<Colour>,
}

impl Picture {
    /// A picture of one colour.
    pub fn new(width: i32, height: i32, colour: Colour) -> Self {
        Self { width, height, pixels: vec![colour; (width * height) as usize] }
    }

    /// Sets each pixel to a function of its position.
    pub fn shade(&mut self, colour: impl Fn(i32, i32) -> Colour) {
        for (at, pixel) in (0..).zip(&mut self.pixels) {
            *pixel = colour(at % self.width, at / self.width);
        }
    }

    /// Fills a rectangle, clipped to the picture.
    pub fn rectangle(&mut self, left: i32, top: i32, width: i32, height: i32, colour: Colour) {
        for y in top.max(0)..(top + height).min(self.height) {
            let row = y * self.width;
            let (start, end) = (left.clamp(0, self.width), (left + width).clamp(0, self.width));
            self.pixels[(row + start) as usize..(row + end) as usize].fill(colour);
        }
    }

    /// Fills an ellipse and draws a line around it.
    pub fn ellipse(&mut self, x: i32, y: i32, (across, down): (i32, i32), colour: Colour, line: i32) {
        let inside = |dx: i32, dy: i32, a: i32, b: i32| {
            let [dx, dy, a, b] = [dx, dy, a, b].map(i64::from);
            a > 0 && b > 0 && dx * dx * b * b + dy * dy * a * a <= a * a * b * b
        };
        for dy in -down..=down {
            for dx in -across..=across {
                let (column, row) = (x + dx, y + dy);
                if inside(dx, dy, across, down) && (0..self.width).contains(&column) && (0..self.height).contains(&row) {
                    let edge = line > 0 && !inside(dx, dy, across - line, down - line);
                    self.pixels[(row * self.width + column) as usize] = if edge { [20, 20, 20] } else { colour };
                }
            }
        }
    }

    /// Writes a line of made-up letters, each five pixels wide and seven high, times `scale`.
    pub fn text(&mut self, left: i32, top: i32, letters: &[u8], scale: i32, colour: Colour) {
        for (column, &letter) in (0..).zip(letters) {
            for dot in 0..35 {
                let (x, y) = (dot % 5, dot / 5);
                if letter != b' ' && shape(letter) >> dot & 1 == 1 {
                    self.rectangle(left + (column * 6 + x) * scale, top + y * scale, scale, scale, colour);
                }
            }
        }
    }
}

/// The dots of a made-up letter: strokes, so that it looks like one.
fn shape(letter: u8) -> u64 {
    const STROKES: [u64; 8] = [
        0x1f,       // top
        0x1f << 15, // middle
        0x1f << 30, // bottom
        0x1 | 0x1 << 5 | 0x1 << 10 | 0x1 << 15,
        0x1 << 15 | 0x1 << 20 | 0x1 << 25 | 0x1 << 30,
        0x10 | 0x10 << 5 | 0x10 << 10 | 0x10 << 15,
        0x10 << 15 | 0x10 << 20 | 0x10 << 25 | 0x10 << 30,
        0x4 | 0x4 << 5 | 0x4 << 10 | 0x4 << 15 | 0x4 << 20 | 0x4 << 25 | 0x4 << 30,
    ];
    let bits = u32::from(letter).wrapping_mul(2_654_435_761) >> 13;
    STROKES.iter().enumerate().filter(|(stroke, _)| bits >> stroke & 1 == 1).fold(1 << 32, |shape, (_, dots)| shape | dots)
}

/// The sine of an angle in 256ths of a turn, times 256 (a parabola, which is close enough).
pub fn sine(angle: i32) -> i32 {
    let within = angle.rem_euclid(128);
    let half = within * (128 - within) / 16;
    if angle.rem_euclid(256) < 128 { half } else { -half }
}

/// Smooth noise from 0 to 255 with details as large as `1 << size` pixels.
pub fn noise(x: i32, y: i32, size: u32, seed: i32) -> i32 {
    let corner = |x: i32, y: i32| {
        let mut hash =
            (x.wrapping_mul(374_761_393)).wrapping_add(y.wrapping_mul(668_265_263)).wrapping_add(seed.wrapping_mul(69_069)) as u32;
        hash = (hash ^ hash >> 13).wrapping_mul(1_274_126_177);
        ((hash ^ hash >> 16) & 255) as i32
    };
    let (column, row) = (x >> size, y >> size);
    let unit = 1 << size;
    let (right, down) = (x & (unit - 1), y & (unit - 1));
    let upper = corner(column, row) * (unit - right) + corner(column + 1, row) * right;
    let lower = corner(column, row + 1) * (unit - right) + corner(column + 1, row + 1) * right;
    (upper * (unit - down) + lower * down) >> (2 * size)
}

/// A landscape with the properties of a photograph that matter to an encoder: smooth areas, texture on several scales, grain.
pub fn landscape(x: i32, y: i32, seed: i32) -> Colour {
    let shape = (noise(x, y, 6, seed) * 4 + noise(x, y, 4, seed + 1) * 2 + noise(x, y, 2, seed + 2)) / 7;
    let horizon = 90 + noise(x, 0, 5, seed + 3) / 3;
    let base = if y < horizon { [110 + y / 2, 150 + y / 3, 235 - y / 4] } else { [shape / 2 + 40, shape / 2 + 70, shape / 3 + 10] };
    let light = if y < horizon { noise(x, y * 2, 6, seed + 4) / 5 } else { (shape - 128) / 3 };
    base.map(|channel| (channel + light).clamp(0, 255) as u8)
}
