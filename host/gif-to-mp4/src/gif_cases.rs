//! Unusual and damaged GIFs, and how they are shown. The expected images are those that Chromium 156 displays; where this crate
//! deliberately differs, the case says so.

use crate::canvas::{BACKDROP, Pixel};
use crate::convert_error::ConvertError;
use crate::gif_frames::GifFrames;
use crate::gif_inspect::inspect_gif;
use crate::limits::Limits;
use crate::test_support::no_deadline;

const RED: u8 = 0;
const GREEN: u8 = 1;
const BLUE: u8 = 2;
const TRAILER: &[u8] = &[0x3b];

/// Red, green, blue, white.
const PALETTE: &[u8] = crate::test_support::PALETTE;

/// The signature, the logical screen, and a global palette if it is not empty.
fn screen(width: u16, height: u16, palette: &[u8]) -> Vec<u8> {
    let flags = if palette.is_empty() { 0 } else { 0xf0 | palette_bits(palette) };
    let [[w, w2], [h, h2]] = [width.to_le_bytes(), height.to_le_bytes()];
    [b"GIF89a", &[w, w2, h, h2, flags, 0, 0][..], palette].concat()
}

fn palette_bits(palette: &[u8]) -> u8 {
    u8::try_from((palette.len() / 3).ilog2() - 1).unwrap()
}

/// A frame of one colour, unless its pixels are changed.
#[derive(Clone)]
struct Image {
    left: u16,
    top: u16,
    width: u16,
    height: u16,
    pixels: Vec<u8>,
    disposal: u8,
    transparent: Option<u8>,
    interlaced: bool,
    palette: &'static [u8],
    code_size: u8,
    end_code: bool,
    /// Bytes between the frame's graphic control extension and its image.
    between: &'static [u8],
    /// Bytes instead of the graphic control extension.
    control: Option<&'static [u8]>,
    /// Bytes instead of code size, blocks and terminator.
    data: Option<&'static [u8]>,
}

fn flat(width: u16, height: u16, colour: u8) -> Image {
    let pixels = vec![colour; usize::from(width) * usize::from(height)];
    Image {
        left: 0,
        top: 0,
        width,
        height,
        pixels,
        disposal: 0,
        transparent: None,
        interlaced: false,
        palette: &[],
        code_size: 2,
        end_code: true,
        between: &[],
        control: None,
        data: None,
    }
}

impl Image {
    fn at(self, left: u16, top: u16) -> Self {
        Self { left, top, ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        let flags = (self.disposal << 2) | u8::from(self.transparent.is_some());
        let control = [0x21, 0xf9, 4, flags, 5, 0, self.transparent.unwrap_or(0), 0];
        let packed = if self.palette.is_empty() { 0 } else { 0x80 | palette_bits(self.palette) } | (u8::from(self.interlaced) << 6);
        let place = [self.left, self.top, self.width, self.height].map(u16::to_le_bytes).concat();
        let data = self.data.map_or_else(|| self.compressed(), <[u8]>::to_vec);
        [self.control.unwrap_or(&control), self.between, &[0x2c], &place, &[packed], self.palette, &data].concat()
    }

    /// Codes of the smallest width, with a clear code as soon as they would become wider.
    fn compressed(&self) -> Vec<u8> {
        let (clear, smallest) = (1 << self.code_size, u32::from(self.code_size) + 1);
        // With a code size of 1, the next entry of the table needs a wider code immediately.
        let width = if self.code_size == 1 { 3 } else { smallest };
        // The decoder's table grows with each code except the first. It is full for this width when it has as many entries as there are
        // colours, minus the two special codes.
        let room = usize::max(clear - 2, 1);
        let mut codes: Vec<(usize, u32)> = Vec::new();
        for group in self.pixels.chunks(room) {
            codes.push((clear, if codes.is_empty() { smallest } else { width }));
            codes.extend(group.iter().map(|&index| (usize::from(index), smallest)));
        }
        if self.end_code {
            // If the table may be full, the end code would have another width.
            codes.extend([(clear, width), (clear + 1, smallest)]);
        }
        let mut bits: Vec<bool> =
            codes.iter().flat_map(|&(code, width)| (0..width).map(move |bit| (code >> bit) & 1 == 1)).collect();
        bits.resize(bits.len().next_multiple_of(8), false);
        let bytes: Vec<u8> =
            bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, &bit| (byte << 1) | u8::from(bit))).collect();
        let mut data = vec![self.code_size];
        for block in bytes.chunks(255) {
            data.push(u8::try_from(block.len()).unwrap());
            data.extend_from_slice(block);
        }
        data.push(0);
        data
    }
}

fn file(screen: Vec<u8>, images: &[Image]) -> Vec<u8> {
    let images: Vec<u8> = images.iter().flat_map(Image::bytes).collect();
    [screen, images, TRAILER.to_vec()].concat()
}

fn square(images: &[Image]) -> Vec<u8> {
    file(screen(4, 4, PALETTE), images)
}

/// Two frames without the trailer, then these bytes.
fn with_end(end: &[u8]) -> Vec<u8> {
    let mut file = square(&[flat(4, 4, RED), flat(4, 4, GREEN)]);
    file.truncate(file.len() - 1);
    file.extend_from_slice(end);
    file
}

/// Two frames, with this many bytes missing at the end of the second.
fn cut(bytes: usize) -> Vec<u8> {
    let mut file = with_end(&[]);
    file.truncate(file.len() - bytes);
    file
}

/// A frame of 4x4 with ten green pixels.
fn short() -> Image {
    Image { pixels: vec![GREEN; 10], ..flat(4, 4, GREEN) }
}

/// A frame of 4x4 with an undefined code.
fn invalid_code() -> Image {
    Image { data: Some(&[2, 1, 0b00_111_100, 0]), ..flat(4, 4, GREEN) }
}

/// The rows of each frame, separated by slashes, with a letter for each pixel.
fn shown(file: &[u8]) -> Result<Vec<String>, ConvertError> {
    let info = inspect_gif(file, &Limits::default(), &no_deadline())?;
    let mut frames = GifFrames::new(file, &info)?;
    let mut pictures = Vec::new();
    while let Some(canvas) = frames.next_canvas()? {
        let row = |row| canvas.row_or_last(row).iter().map(letter).collect::<String>();
        pictures.push((0..usize::from(info.height)).map(row).collect::<Vec<_>>().join("/"));
    }
    Ok(pictures)
}

fn letter(pixel: &Pixel) -> char {
    match *pixel {
        BACKDROP => '.',
        [255, 0, 0] => 'R',
        [0, 255, 0] => 'G',
        [0, 0, 255] => 'B',
        [0, 0, 0] => 'K',
        _ => '?',
    }
}

const ALL_RED: &str = "RRRR/RRRR/RRRR/RRRR";
const ALL_GREEN: &str = "GGGG/GGGG/GGGG/GGGG";
const ALL_BLACK: &str = "KKKK/KKKK/KKKK/KKKK";
const EMPTY: &str = "..../..../..../....";

#[track_caller]
fn assert_shown(cases: &[(&str, Vec<u8>, &[&str])]) {
    for (name, file, expected) in cases {
        let pictures = shown(file).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(pictures, *expected, "{name}");
    }
}

#[track_caller]
fn assert_rejected(cases: &[(&str, Vec<u8>, &str)]) {
    for (name, file, expected) in cases {
        match shown(file) {
            Ok(pictures) => panic!("{name}: {pictures:?}"),
            Err(error) => assert_eq!(error.to_string(), *expected, "{name}"),
        }
    }
}

#[test]
fn canvas_extends_to_the_right_and_bottom_edges_of_the_first_frame() {
    let first_decides = [flat(2, 2, RED), flat(4, 4, GREEN)];
    let outside = [flat(4, 4, RED), flat(4, 4, GREEN).at(2, 2), flat(2, 2, BLUE).at(9, 9)];
    let clipped = "RRRR/RRRR/RRGG/RRGG";
    let rows = |rows: &[u8]| rows.iter().flat_map(|row| [row % 3; 4]).collect();
    let interlaced = Image { interlaced: true, pixels: rows(&[0, 8, 4, 2, 6, 1, 3, 5, 7]), ..flat(4, 9, RED) };
    let tall = "RRRR/GGGG/BBBB/RRRR/GGGG/BBBB/RRRR/GGGG/BBBB";
    assert_shown(&[
        ("larger", file(screen(2, 2, PALETTE), &[flat(4, 3, RED)]), &["RRRR/RRRR/RRRR"]),
        ("outside", file(screen(1, 1, PALETTE), &[flat(2, 1, RED).at(1, 2)]), &[".../.../.RR"]),
        ("higher, but not wider", file(screen(4, 2, PALETTE), &[flat(3, 3, RED)]), &["RRR./RRR./RRR."]),
        ("screen without pixels", file(screen(0, 0, PALETTE), &[flat(4, 4, RED)]), &[ALL_RED]),
        ("screen without width", file(screen(0, 4, PALETTE), &[flat(4, 2, RED)]), &["RRRR/RRRR/..../...."]),
        ("interlaced", file(screen(2, 2, PALETTE), &[interlaced]), &[tall]),
        ("later frame larger", file(screen(2, 2, PALETTE), &first_decides), &["RR/RR", "GG/GG"]),
        ("later frames partly and wholly outside", square(&outside), &[ALL_RED, clipped, clipped]),
    ]);
    let far = file(screen(1, 1, PALETTE), &[flat(1, 1, RED).at(65_535, 65_535)]);
    assert_eq!(shown(&far).unwrap_err().to_string(), "an image of 65536x65536 is wider or higher than 3840 pixels");
}

#[test]
fn frame_without_pixels_shows_the_previous_picture() {
    let empty = Image { pixels: vec![BLUE; 16], ..flat(0, 0, BLUE) };
    let without_width = Image { pixels: vec![BLUE; 16], ..flat(0, 4, BLUE) };
    let without_data = Image { data: Some(&[2, 0]), ..flat(4, 0, BLUE) };
    for (name, nothing) in [("empty", empty), ("without width", without_width), ("without data", without_data)] {
        assert_shown(&[
            (name, square(&[nothing.clone(), flat(4, 4, GREEN)]), &[EMPTY, ALL_GREEN]),
            (name, square(&[flat(4, 4, RED), nothing.clone(), flat(4, 4, GREEN)]), &[ALL_RED, ALL_RED, ALL_GREEN]),
        ]);
        let file = file(screen(0, 0, PALETTE), &[Image { width: 0, height: 0, ..nothing }]);
        assert_rejected(&[(name, file, "not a well-formed GIF: the canvas is 0x0")]);
    }
}

#[test]
fn index_beyond_the_palette_is_black_and_the_transparent_index_is_not_drawn() {
    let local = Image { palette: &PALETTE[..6], ..flat(4, 4, 3) };
    let transparent = Image { transparent: Some(3), pixels: [3, 1].repeat(8), ..flat(4, 4, 3) };
    let with_palette = Image { palette: PALETTE, ..flat(4, 4, GREEN) };
    assert_shown(&[
        ("global", file(screen(4, 4, &PALETTE[..6]), &[flat(4, 4, 3)]), &[ALL_BLACK]),
        ("local", square(&[local]), &[ALL_BLACK]),
        ("neither", file(screen(4, 4, &[]), &[flat(4, 4, GREEN)]), &[ALL_BLACK]),
        (
            "neither for one of them",
            file(screen(4, 4, &[]), &[with_palette, flat(2, 2, GREEN)]),
            &[ALL_GREEN, "KKGG/KKGG/GGGG/GGGG"],
        ),
        ("transparent", file(screen(4, 4, &PALETTE[..6]), &[flat(4, 4, RED), transparent]), &[ALL_RED, "RGRG/RGRG/RGRG/RGRG"]),
    ]);
}

#[test]
fn file_ends_at_the_first_bytes_that_are_not_a_block() {
    let two: &[&str] = &[ALL_RED, ALL_GREEN];
    let one_more = flat(4, 4, BLUE).bytes();
    let mut between = with_end(&[7, 7]);
    between.extend_from_slice(&one_more);
    assert_shown(&[
        ("trailer", with_end(TRAILER), two),
        ("nothing", with_end(&[]), two),
        ("a zero", with_end(&[0]), two),
        ("fifty zeros", with_end(&[0; 50]), two),
        ("trailer and zeros", with_end(&[&[0x3b], &[0; 50][..]].concat()), two),
        ("two trailers", with_end(&[0x3b, 0x3b]), two),
        ("a page", with_end(b"<html>"), two),
        ("a frame after the trailer", with_end(&[TRAILER, &one_more].concat()), two),
        ("a frame after garbage", between, two),
        ("half an extension", with_end(&[0x21, 0xfe, 5, b'a']), two),
        ("half a control", with_end(&[0x21, 0xf9, 4, 0]), two),
        ("a separator", with_end(&[0x2c]), two),
        ("an introducer", with_end(&[0x21]), two),
    ]);
    assert_rejected(&[
        ("no frames", screen(4, 4, PALETTE), "the GIF has no frames"),
        ("only a trailer", file(screen(4, 4, PALETTE), &[]), "the GIF has no frames"),
        ("garbage first", [screen(4, 4, PALETTE), vec![0], one_more].concat(), "the GIF has no frames"),
        ("half a palette", screen(4, 4, PALETTE)[..20].to_vec(), "not a well-formed GIF: it ends within its header"),
    ]);
}

#[test]
fn last_frame_that_is_cut_off_or_damaged_is_dropped() {
    let mut zeros = with_end(TRAILER);
    let damaged = zeros.len() - 13;
    zeros[damaged..].fill(0);
    let bad_code_size = Image { code_size: 12, ..flat(4, 4, GREEN) };
    let mut cases = vec![
        ("with too few pixels", square(&[flat(4, 4, RED), short()])),
        ("with an invalid code", square(&[flat(4, 4, RED), invalid_code()])),
        ("with an invalid code size", square(&[flat(4, 4, RED), bad_code_size])),
        ("overwritten with zeros", zeros),
    ];
    let second = flat(4, 4, GREEN).bytes().len();
    cases.extend((1..=second).map(|bytes| ("cut off", cut(bytes))));
    for (name, file) in cases {
        assert_eq!(shown(&file).unwrap(), [ALL_RED], "{name}");
    }
}

#[test]
fn damage_before_the_last_frame_is_an_error() {
    let (few, invalid) = (
        "not a well-formed GIF: an image has fewer pixels than its size requires",
        "not a well-formed GIF: invalid code in the image data",
    );
    let frames = |damaged: Image| square(&[flat(4, 4, RED), damaged, flat(4, 4, BLUE)]);
    let only_frame = cut(flat(4, 4, GREEN).bytes().len() + 1);
    assert_rejected(&[
        ("few pixels in the middle", frames(short()), few),
        ("invalid code in the middle", frames(invalid_code()), invalid),
        ("few pixels at first", square(&[short(), flat(4, 4, BLUE)]), few),
        ("few pixels in the only frame", square(&[short()]), few),
        ("the only frame cut off", only_frame, "not a well-formed GIF: it ends within its first frame"),
    ]);
}

#[test]
fn image_data_without_an_end_code_or_with_extra_data_is_accepted() {
    let green = || flat(4, 4, GREEN);
    let without_end = Image { end_code: false, ..flat(4, 4, RED) };
    let surplus = Image { pixels: vec![RED; 300], ..flat(4, 4, RED) };
    let block_behind_the_end = Image { data: Some(&[2, 4, 0x84, 0x8f, 0x29, 0x05, 2, 0xff, 0xff, 0]), ..flat(1, 1, RED) };
    assert_shown(&[
        ("no end code", square(&[without_end, green()]), &[ALL_RED, ALL_GREEN]),
        ("surplus pixels", square(&[surplus, green()]), &[ALL_RED, ALL_GREEN]),
        ("surplus blocks", file(screen(1, 1, PALETTE), &[block_behind_the_end, flat(1, 1, GREEN)]), &["R", "G"]),
    ]);
}

#[test]
fn code_sizes_from_one_to_eleven_are_read() {
    for code_size in 1..=11 {
        let odd = Image { code_size, pixels: [RED, GREEN].repeat(8), ..flat(4, 4, RED) };
        let shown = shown(&square(&[odd, flat(4, 4, GREEN)])).unwrap_or_else(|error| panic!("{code_size}: {error}"));
        assert_eq!(shown, ["RGRG/RGRG/RGRG/RGRG", ALL_GREEN], "{code_size}");
    }
    for code_size in [12, 13, 32, 255] {
        let data: &[u8] = Box::leak(Box::new([code_size, 1, 0, 0]));
        let bad = Image { data: Some(data), ..flat(4, 4, RED) };
        assert_rejected(&[("code size", square(&[bad]), "not a well-formed GIF: invalid code size")]);
    }
}

#[test]
fn first_frame_disposal_and_undefined_methods_behave_as_in_browsers() {
    let disposed = |disposal: u8, image: Image| Image { disposal, ..image };
    let corner = "GG../GG../..../....";
    let three = |disposal: u8| square(&[flat(4, 4, RED), disposed(disposal, flat(4, 4, GREEN)), flat(2, 2, BLUE)]);
    let (kept, restored) = ("BBGG/BBGG/GGGG/GGGG", "BBRR/BBRR/RRRR/RRRR");
    assert_shown(&[
        ("first to the background", square(&[disposed(2, flat(4, 4, RED)), flat(2, 2, GREEN)]), &[ALL_RED, corner]),
        ("first to the previous", square(&[disposed(3, flat(4, 4, RED)), flat(2, 2, GREEN)]), &[ALL_RED, corner]),
        ("previous", three(3), &[ALL_RED, ALL_GREEN, restored]),
        ("previous, misspelt", three(4), &[ALL_RED, ALL_GREEN, restored]),
        ("keep", three(1), &[ALL_RED, ALL_GREEN, kept]),
        ("undefined", three(7), &[ALL_RED, ALL_GREEN, kept]),
    ]);
}

#[test]
fn extensions_between_frames_are_skipped() {
    let after = |between: &'static [u8]| square(&[flat(4, 4, RED), Image { between, ..flat(4, 4, GREEN) }]);
    let two: &[&str] = &[ALL_RED, ALL_GREEN];
    assert_shown(&[
        ("unknown", after(b"\x21\x42\x03abc\0"), two),
        ("comment", after(b"\x21\xfe\x03abc\x01d\0"), two),
        ("empty", after(b"\x21\xfe\0\x21\xff\0\x21\xf9\0"), two),
        ("plain text", after(b"\x21\x01\x0c\0\0\0\0\x04\0\x04\0\x08\x08\x01\0\x02hi\0"), two),
        ("loops", after(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\xff\xff\0"), two),
        ("loops, cut short", after(b"\x21\xff\x0bNETSCAPE2.0\x01\x01\0"), two),
    ]);
}

#[test]
fn control_extension_of_an_unusual_length_is_read_as_far_as_possible() {
    let delays = |control: &'static [u8]| {
        let file = square(&[flat(4, 4, RED), Image { control: Some(control), ..flat(4, 4, GREEN) }]);
        assert_eq!(shown(&file).unwrap(), [ALL_RED, ALL_GREEN], "{control:?}");
        inspect_gif(&file, &Limits::default(), &no_deadline()).unwrap().delays
    };
    assert_eq!(delays(b"\x21\xf9\x04\0\x07\0\0\0"), [5, 7]);
    assert_eq!(delays(b"\x21\xf9\x04\0\x09\0\0\0\x21\xf9\x04\0\x07\0\0\0"), [5, 7], "the last one applies");
    // Chromium shows only the first frame of these.
    assert_eq!(delays(b"\x21\xf9\x05\0\x07\0\0\0\0"), [5, 7]);
    assert_eq!(delays(b"\x21\xf9\x04\0\x07\0\0\x02ab\0"), [5, 7]);
    assert_eq!(delays(b"\x21\xf9\x03\0\x07\0\0"), [5, 10]);
    assert_eq!(delays(b"\x21\xf9\0"), [5, 10]);
    assert_eq!(delays(b""), [5, 10], "a delay of 0 is 10");
}
