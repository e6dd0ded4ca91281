//! Recognises formats by the first bytes of a file.
//!
//! Only fixed offsets and the heads of four containers are examined (see `container_heads` and `audio_frames`); nothing is parsed further.
//! The signatures of images, audio and video are those of <https://mimesniff.spec.whatwg.org>, and a few more.

use crate::audio_frames::{adts_frames, mpeg_audio_frames};
use crate::container_heads::{ebml_type, iso_media_type, ogg_type, transport_stream};
use crate::lottie::is_gzipped_lottie;

/// A format, with the media types that its files can have.
#[derive(Debug, PartialEq, Eq)]
struct Format {
    types: &'static [&'static str],
    /// Whether files of many types have this format. If so, its signature does not contradict a declared type that is not listed here.
    is_container: bool,
}

const fn format(types: &'static [&'static str]) -> Format {
    Format { types, is_container: false }
}

const fn container(types: &'static [&'static str]) -> Format {
    Format { types, is_container: true }
}

static PNG: Format = format(&["image/png", "image/apng"]);
static JPEG: Format = format(&["image/jpeg"]);
static GIF: Format = format(&["image/gif"]);
static WEBP: Format = format(&["image/webp"]);
static BMP: Format = format(&["image/bmp"]);
static ICON: Format = format(&["image/vnd.microsoft.icon"]);
static TIFF: Format = container(&["image/tiff", "image/tiff-fx"]);
static PHOTOSHOP: Format = format(&["image/vnd.adobe.photoshop"]);
static JPEG_XL: Format = format(&["image/jxl"]);
static JPEG_XR: Format = format(&["image/jxr"]);
static JPEG_2000: Format = container(&["image/jp2", "image/jpx", "image/jpm", "video/mj2"]);
static JPEG_2000_CODESTREAM: Format = format(&["image/j2c"]);
static HEIF: Format =
    container(&["image/heif", "image/heic", "image/heif-sequence", "image/heic-sequence", "image/avci", "image/x-canon-cr3"]);
static AVIF: Format = format(&["image/avif", "image/avif-sequence"]);
static ISO_MEDIA: Format = container(&[
    "video/mp4",
    "audio/mp4",
    "video/quicktime",
    "video/3gpp",
    "audio/3gpp",
    "video/3gpp2",
    "audio/3gpp2",
    "video/iso.segment",
    "audio/aac",
]);
static EBML: Format = container(&["video/webm", "audio/webm", "video/matroska", "audio/matroska"]);
static OGG: Format = container(&["video/ogg", "audio/ogg", "application/ogg", "audio/opus", "audio/speex", "audio/flac"]);
static WAV: Format = container(&["audio/wav"]);
static AVI: Format = container(&["video/x-msvideo"]);
static MPEG_AUDIO: Format = format(&["audio/mpeg", "audio/mpa", "audio/mpa-robust"]);
/// ID3 tags precede several formats.
static ID3: Format = container(&["audio/mpeg", "audio/aac", "audio/flac", "audio/aiff", "audio/wav", "audio/mpa"]);
static ADTS: Format = format(&["audio/aac"]);
static FLAC: Format = format(&["audio/flac"]);
static AIFF: Format = container(&["audio/aiff"]);
static MIDI: Format = format(&["audio/midi", "audio/sp-midi"]);
static BASIC: Format = container(&["audio/basic"]);
static AMR: Format = format(&["audio/amr", "audio/3gpp"]);
static AMR_WB: Format = format(&["audio/amr-wb", "audio/3gpp"]);
static CAF: Format = container(&["audio/x-caf"]);
static FLV: Format = format(&["video/x-flv"]);
static MPEG_PROGRAM: Format = container(&["video/mpeg", "video/mp2p", "video/mp1s"]);
static MPEG_TRANSPORT: Format = container(&["video/mp2t"]);
static ASF: Format = container(&["video/x-ms-asf", "video/x-ms-wmv", "audio/x-ms-wma"]);
/// Neither image nor audio nor video: never replaces a declared type.
static OTHER: Format = container(&[]);

/// All formats whose types are known.
static FORMATS: [&Format; 30] = [
    &PNG,
    &JPEG,
    &GIF,
    &WEBP,
    &BMP,
    &ICON,
    &TIFF,
    &PHOTOSHOP,
    &JPEG_XL,
    &JPEG_XR,
    &JPEG_2000,
    &JPEG_2000_CODESTREAM,
    &HEIF,
    &AVIF,
    &ISO_MEDIA,
    &EBML,
    &OGG,
    &WAV,
    &AVI,
    &MPEG_AUDIO,
    &FLAC,
    &AIFF,
    &MIDI,
    &BASIC,
    &AMR,
    &CAF,
    &FLV,
    &MPEG_PROGRAM,
    &MPEG_TRANSPORT,
    &ASF,
];

/// Bytes at an offset.
type Part = (usize, &'static [u8]);

/// The number of bytes that settle all but a few signatures: they include the beginnings of three packets of a transport stream.
const SETTLED_BYTES: usize = 389;

/// Signatures at fixed offsets, all parts of which must match.
static SIGNATURES: &[(&[Part], &str, &Format)] = &[
    (&[(0, b"\x89PNG\r\n\x1a\n")], "image/png", &PNG),
    (&[(0, b"\xff\xd8\xff")], "image/jpeg", &JPEG),
    (&[(0, b"GIF87a")], "image/gif", &GIF),
    (&[(0, b"GIF89a")], "image/gif", &GIF),
    (&[(0, b"RIFF"), (8, b"WEBPVP")], "image/webp", &WEBP),
    (&[(0, b"II*\0")], "image/tiff", &TIFF),
    (&[(0, b"MM\0*")], "image/tiff", &TIFF),
    (&[(0, b"II+\0\x08\0\0\0")], "image/tiff", &TIFF),
    (&[(0, b"MM\0+\0\x08\0\0")], "image/tiff", &TIFF),
    (&[(0, b"8BPS\0\x01")], "image/vnd.adobe.photoshop", &PHOTOSHOP),
    (&[(0, b"8BPS\0\x02")], "image/vnd.adobe.photoshop", &PHOTOSHOP),
    (&[(0, b"\0\0\0\x0cJXL \r\n\x87\n")], "image/jxl", &JPEG_XL),
    (&[(0, b"II\xbc\x01")], "image/jxr", &JPEG_XR),
    (&[(0, b"\0\0\0\x0cjP  \r\n\x87\n"), (20, b"jpx ")], "image/jpx", &JPEG_2000),
    (&[(0, b"\0\0\0\x0cjP  \r\n\x87\n"), (20, b"jpm ")], "image/jpm", &JPEG_2000),
    (&[(0, b"\0\0\0\x0cjP  \r\n\x87\n"), (20, b"mjp2")], "video/mj2", &JPEG_2000),
    (&[(0, b"\0\0\0\x0cjP  \r\n\x87\n")], "image/jp2", &JPEG_2000),
    (&[(0, b"\xff\x4f\xff\x51\0")], "image/j2c", &JPEG_2000_CODESTREAM),
    (&[(0, b"RIFF"), (8, b"WAVE")], "audio/wav", &WAV),
    (&[(0, b"RF64"), (8, b"WAVE")], "audio/wav", &WAV),
    (&[(0, b"RIFF"), (8, b"AVI ")], "video/x-msvideo", &AVI),
    (&[(0, b"fLaC\0\0\0\x22")], "audio/flac", &FLAC),
    (&[(0, b"fLaC\x80\0\0\x22")], "audio/flac", &FLAC),
    (&[(0, b"FORM"), (8, b"AIFF")], "audio/aiff", &AIFF),
    (&[(0, b"FORM"), (8, b"AIFC")], "audio/aiff", &AIFF),
    (&[(0, b"MThd\0\0\0\x06")], "audio/midi", &MIDI),
    (&[(0, b".snd\0\0")], "audio/basic", &BASIC),
    (&[(0, b"#!AMR\n")], "audio/amr", &AMR),
    (&[(0, b"#!AMR-WB\n")], "audio/amr-wb", &AMR_WB),
    (&[(0, b"caff\0\x01\0\0")], "audio/x-caf", &CAF),
    (&[(0, b"FLV\x01"), (5, b"\0\0\0\x09")], "video/x-flv", &FLV),
    (&[(0, b"\0\0\x01\xba")], "video/mpeg", &MPEG_PROGRAM),
    (&[(0, b"\0\0\x01\xb3")], "video/mpeg", &MPEG_PROGRAM),
    (&[(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c")], "video/x-ms-asf", &ASF),
    (&[(0, b"%PDF-")], "application/pdf", &OTHER),
    (&[(0, b"PK\x03\x04"), (30, b"mimetypeapplication/epub+zip")], "application/epub+zip", &OTHER),
    (&[(0, b"PK\x03\x04")], "application/zip", &OTHER),
    (&[(0, b"PK\x05\x06")], "application/zip", &OTHER),
    (&[(0, b"7z\xbc\xaf\x27\x1c")], "application/x-7z-compressed", &OTHER),
    (&[(0, b"Rar!\x1a\x07")], "application/vnd.rar", &OTHER),
    (&[(0, b"\xfd7zXZ\0")], "application/x-xz", &OTHER),
    (&[(0, b"\x28\xb5\x2f\xfd")], "application/zstd", &OTHER),
    (&[(0, b"BZh"), (4, b"1AY&SY")], "application/x-bzip2", &OTHER),
    (&[(257, b"ustar")], "application/x-tar", &OTHER),
    (&[(0, b"{\\rtf")], "application/rtf", &OTHER),
    (&[(0, b"glTF\x02\0\0\0")], "model/gltf-binary", &OTHER),
    (&[(0, b"wOFF")], "font/woff", &OTHER),
    (&[(0, b"wOF2")], "font/woff2", &OTHER),
    (&[(0, b"OTTO\0")], "font/otf", &OTHER),
    (&[(0, b"\0\x01\0\0\0")], "font/ttf", &OTHER),
    (&[(0, b"ttcf\0")], "font/collection", &OTHER),
];

/// What the first bytes of a file indicate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature {
    /// A registered type, or a usual one if none is registered. Never a type that browsers execute as active content.
    pub(crate) mimetype: &'static str,
    format: &'static Format,
    /// Whether other files are unlikely to start like this by chance.
    is_certain: bool,
}

impl Signature {
    fn certain(mimetype: &'static str, format: &'static Format) -> Self {
        Self { mimetype, format, is_certain: true }
    }

    fn likely(mimetype: &'static str, format: &'static Format) -> Self {
        Self { mimetype, format, is_certain: false }
    }

    /// The signature at the start of a file.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        fixed(start).or_else(|| container_head(start)).or_else(|| structured(start))
    }

    /// Whether every file that starts with these bytes has the same signature as they have. `false` if that is not known.
    pub(crate) fn is_settled(start: &[u8]) -> bool {
        match SIGNATURES.iter().find(|(parts, ..)| parts.iter().all(|part| may_match(*part, start))) {
            Some((parts, ..)) => parts.iter().all(|part| matches(*part, start)),
            None => start.len() >= SETTLED_BYTES && Self::of(start).is_none_or(|signature| signature.is_final()),
        }
    }

    /// Whether bytes after the first [`SETTLED_BYTES`] cannot change a signature that is not at a fixed offset. An Ogg file has several
    /// first pages, and a likely signature may become certain.
    fn is_final(&self) -> bool {
        self.is_certain && (self.format != &OGG || self.mimetype == "video/ogg")
    }

    /// Whether this is unmistakably an image, audio or video.
    pub(crate) fn is_certain_media(&self) -> bool {
        self.is_certain && self.format != &OTHER
    }

    /// Whether a file that starts like this unmistakably has a type other than `declared`, which must be an image, audio or video type.
    pub(crate) fn contradicts(&self, declared: &str) -> bool {
        let is_image = |mimetype: &str| mimetype.starts_with("image/");
        let is_known = || FORMATS.iter().any(|format| format.types.contains(&declared));
        self.is_certain_media()
            && !self.format.types.contains(&declared)
            && (!self.format.is_container || is_known() || is_image(declared) != is_image(self.mimetype))
    }
}

fn fixed(start: &[u8]) -> Option<Signature> {
    let (_, mimetype, format) = SIGNATURES.iter().find(|(parts, ..)| parts.iter().all(|part| matches(*part, start)))?;
    Some(Signature::certain(mimetype, format))
}

fn matches((offset, bytes): Part, start: &[u8]) -> bool {
    start.get(offset..).is_some_and(|rest| rest.starts_with(bytes))
}

/// Whether a file that starts with these bytes can have this part.
fn may_match((offset, bytes): Part, start: &[u8]) -> bool {
    start.iter().skip(offset).zip(bytes).all(|(byte, expected)| byte == expected)
}

fn container_head(start: &[u8]) -> Option<Signature> {
    if let Some(mimetype) = iso_media_type(start) {
        let format = match mimetype {
            "image/avif" => &AVIF,
            _ if mimetype.starts_with("image/") => &HEIF,
            _ => &ISO_MEDIA,
        };
        return Some(Signature::certain(mimetype, format));
    }
    let ebml = || ebml_type(start).map(|mimetype| Signature::certain(mimetype, &EBML));
    ebml().or_else(|| ogg_type(start).map(|mimetype| Signature::certain(mimetype, &OGG)))
}

/// Formats that are recognised by more than fixed bytes.
fn structured(start: &[u8]) -> Option<Signature> {
    match start {
        [b'B', b'M', ..] if is_bmp(start) => Some(Signature::certain("image/bmp", &BMP)),
        [0, 0, 1 | 2, 0, count, 0, _, _, _, 0, ..] if *count > 0 => Some(match has_icon_directory(start, *count) {
            true => Signature::certain("image/vnd.microsoft.icon", &ICON),
            false => Signature::likely("image/vnd.microsoft.icon", &ICON),
        }),
        [b'I', b'D', b'3', 2..=4, 0..=0xfe, _, a, b, c, d, ..] if (a | b | c | d) < 0x80 => {
            Some(Signature::certain("audio/mpeg", &ID3))
        }
        [0x1f, 0x8b, 8, ..] if is_gzipped_lottie(start) => Some(Signature::likely("application/x-tgsticker", &OTHER)),
        [0x1f, 0x8b, 8, ..] => Some(Signature::likely("application/gzip", &OTHER)),
        [_, _, _, _, b'm', b'o', b'o', b'v', ..] | [_, _, _, _, b'w', b'i', b'd', b'e', _, _, _, _, b'm', b'd', b'a', b't', ..] => {
            Some(Signature::likely("video/quicktime", &ISO_MEDIA))
        }
        [0xff, 0x0a, ..] => Some(Signature::likely("image/jxl", &JPEG_XL)),
        _ if transport_stream(start) => Some(Signature::certain("video/mp2t", &MPEG_TRANSPORT)),
        _ => adts_frames(start)
            .map(|frames| frames.signature("audio/aac", &ADTS))
            .or_else(|| mpeg_audio_frames(start).map(|frames| frames.signature("audio/mpeg", &MPEG_AUDIO))),
    }
}

impl crate::audio_frames::Frames {
    fn signature(self, mimetype: &'static str, format: &'static Format) -> Signature {
        match self {
            Self::Several => Signature::certain(mimetype, format),
            Self::One => Signature::likely(mimetype, format),
        }
    }
}

/// Whether a file that starts with `BM` has the two headers of a bitmap.
fn is_bmp(start: &[u8]) -> bool {
    let reserved = start.get(6..10);
    let header = start.get(14..18).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    reserved == Some(&[0; 4]) && matches!(header, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// Whether the first image of an icon lies after its directory of `count` entries.
fn has_icon_directory(start: &[u8], count: u8) -> bool {
    let number = |at: usize| start.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let after_directory = 6 + 16 * u32::from(count);
    number(14).is_some_and(|size| size > 0) && number(18).is_some_and(|offset| (after_directory..1 << 24).contains(&offset))
}

#[cfg(test)]
mod tests;
