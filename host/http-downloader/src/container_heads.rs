//! Reads the heads of containers to determine the kind of media in them: the `ftyp` box of ISO media files, the document type of EBML, the
//! first pages of Ogg, and the packets of MPEG transport streams. Each reader examines a bounded number of bytes.

/// The brands of ISO media files and the types they stand for. These are prefixes, so `mp4` stands for `mp41` and `mp42`.
const BRANDS: &[(&[u8], &str)] = &[
    (b"avif", "image/avif"),
    (b"avis", "image/avif"),
    (b"heic", "image/heic"),
    (b"heix", "image/heic"),
    (b"heim", "image/heic"),
    (b"heis", "image/heic"),
    (b"hevc", "image/heic-sequence"),
    (b"hevx", "image/heic-sequence"),
    (b"mif1", "image/heif"),
    (b"mif2", "image/heif"),
    (b"msf1", "image/heif-sequence"),
    (b"avci", "image/avci"),
    (b"crx ", "image/x-canon-cr3"),
    (b"qt  ", "video/quicktime"),
    (b"3g2", "video/3gpp2"),
    (b"3gp", "video/3gpp"),
    (b"3gr", "video/3gpp"),
    (b"3gs", "video/3gpp"),
    (b"3ge", "video/3gpp"),
    (b"3gg", "video/3gpp"),
    (b"M4A ", "audio/mp4"),
    (b"M4B ", "audio/mp4"),
    (b"M4P ", "audio/mp4"),
    (b"F4A ", "audio/mp4"),
    (b"F4B ", "audio/mp4"),
    (b"M4V", "video/mp4"),
    (b"F4V", "video/mp4"),
    (b"f4v", "video/mp4"),
    (b"iso", "video/mp4"),
    (b"mp4", "video/mp4"),
    (b"avc1", "video/mp4"),
    (b"hvc1", "video/mp4"),
    (b"av01", "video/mp4"),
    (b"dash", "video/mp4"),
    (b"msdh", "video/mp4"),
    (b"cmf", "video/mp4"),
    (b"piff", "video/mp4"),
    (b"mmp4", "video/mp4"),
    (b"MSNV", "video/mp4"),
    (b"NDSC", "video/mp4"),
    (b"XAVC", "video/mp4"),
    (b"dby1", "video/mp4"),
];

/// How many compatible brands of an ISO media file are examined.
const MAX_BRANDS: usize = 32;

/// How many bytes at the start of an EBML file are searched for its document type.
const MAX_EBML_BYTES: usize = 64;

/// How many streams of an Ogg file are examined.
const MAX_OGG_STREAMS: usize = 8;

/// The length of a transport stream packet, without and with the timestamp that precedes it on Blu-ray discs.
const PACKET_BYTES: usize = 188;
const TIMED_PACKET_BYTES: usize = 192;

/// The type of an ISO media file. The major brand decides, unless it is a generic image brand: then another brand determines the format.
pub(crate) fn iso_media_type(start: &[u8]) -> Option<&'static str> {
    if start.get(4..8) != Some(b"ftyp") {
        return None;
    }
    let length = start.first_chunk().map(|bytes| u32::from_be_bytes(*bytes) as usize)?;
    let ftyp = start.get(..length).unwrap_or(start);
    let mut compatible = ftyp.get(16..)?.chunks_exact(4).take(MAX_BRANDS).filter_map(brand_type);
    match brand_type(ftyp.get(8..12)?) {
        Some(image @ ("image/heif" | "image/heif-sequence")) => Some(
            compatible.find(|mimetype| matches!(*mimetype, "image/avif" | "image/heic" | "image/heic-sequence")).unwrap_or(image),
        ),
        Some(mimetype) => Some(mimetype),
        None => compatible.next(),
    }
}

fn brand_type(brand: &[u8]) -> Option<&'static str> {
    BRANDS.iter().find(|(known, _)| brand.starts_with(known)).map(|(_, mimetype)| *mimetype)
}

/// The type of an EBML file, determined by its document type.
pub(crate) fn ebml_type(start: &[u8]) -> Option<&'static str> {
    let head = start.strip_prefix(b"\x1a\x45\xdf\xa3")?;
    let head = &head[..head.len().min(MAX_EBML_BYTES)];
    let at = head.windows(2).position(|id| id == b"\x42\x82")?;
    // The length, which may begin with any number of zero bytes, is followed by the name.
    let name = &head[at + 2..];
    let first = name.first()?.leading_zeros() as usize;
    let name = name.get(first + 1..)?;
    [(&b"webm"[..], "video/webm"), (b"matroska", "video/matroska")]
        .into_iter()
        .find_map(|(known, mimetype)| name.starts_with(known).then_some(mimetype))
}

/// The type of an Ogg file: video if one of its first streams is video, otherwise audio if one is known to be audio.
pub(crate) fn ogg_type(start: &[u8]) -> Option<&'static str> {
    const VIDEO: [&[u8]; 4] = [b"\x80theora", b"BBCD\0", b"OVP80", b"\x01video\0"];
    const AUDIO: [&[u8]; 5] = [b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ", b"PCM     "];
    let mut rest = start;
    let mut found = None;
    for _ in 0..MAX_OGG_STREAMS {
        let Some(page) = rest.strip_prefix(b"OggS\0") else { break };
        // The first pages of all streams come before any other page.
        let is_first_of_stream = page.first().is_some_and(|flags| flags & 2 != 0);
        let segments = page.get(21).copied().map_or(0, usize::from);
        let Some(lacing) = rest.get(27..27 + segments).filter(|_| is_first_of_stream) else { break };
        let payload = &rest[27 + segments..];
        if VIDEO.iter().any(|codec| payload.starts_with(codec)) {
            return Some("video/ogg");
        }
        if AUDIO.iter().any(|codec| payload.starts_with(codec)) {
            found = Some("audio/ogg");
        }
        rest = payload.get(lacing.iter().copied().map(usize::from).sum()..).unwrap_or_default();
    }
    found.or_else(|| start.starts_with(b"OggS\0").then_some("application/ogg"))
}

/// Whether this is an MPEG transport stream: three consecutive packets start with the sync byte.
pub(crate) fn transport_stream(start: &[u8]) -> bool {
    let has_packets = |offset: usize, length: usize| (0..3).all(|index| start.get(offset + index * length) == Some(&0x47));
    has_packets(0, PACKET_BYTES) || has_packets(TIMED_PACKET_BYTES - PACKET_BYTES, TIMED_PACKET_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ftyp(major: &[u8; 4], compatible: &[&[u8; 4]]) -> Vec<u8> {
        let length = 16 + 4 * compatible.len() as u32;
        let brands: Vec<u8> = compatible.iter().flat_map(|brand| brand.iter().copied()).collect();
        [&length.to_be_bytes(), b"ftyp", major, b"\0\0\0\0", &brands[..], b"\0\0\0\x08avif"].concat()
    }

    #[test]
    fn type_of_an_iso_media_file_is_determined_by_its_brands() {
        type Brand = [u8; 4];
        let table: [(&Brand, &[&Brand], Option<&str>); 14] = [
            (b"isom", &[b"iso2", b"avc1"], Some("video/mp4")),
            (b"mp42", &[b"M4A "], Some("video/mp4")),
            (b"M4A ", &[b"mp42"], Some("audio/mp4")),
            (b"qt  ", &[], Some("video/quicktime")),
            (b"3gp4", &[b"isom"], Some("video/3gpp")),
            (b"3g2a", &[], Some("video/3gpp2")),
            (b"avif", &[b"mif1"], Some("image/avif")),
            (b"mif1", &[b"miaf", b"avif"], Some("image/avif")),
            (b"mif1", &[b"heic"], Some("image/heic")),
            (b"mif1", &[], Some("image/heif")),
            (b"heic", &[b"mif1"], Some("image/heic")),
            (b"abcd", &[b"efgh", b"isom"], Some("video/mp4")),
            (b"abcd", &[], None),
            (b"crx ", &[], Some("image/x-canon-cr3")),
        ];
        for (major, compatible, expected) in table {
            assert_eq!(iso_media_type(&ftyp(major, compatible)), expected, "{major:?} {compatible:?}");
        }
        for short in [&b""[..], b"\0\0\0\x18ftyp", b"\0\0\0\x18ftypisom", b"\0\0\0\0ftypisom\0\0\0\0"] {
            assert_eq!(iso_media_type(short), None, "{short:?}");
        }
    }

    #[test]
    fn type_of_an_ebml_file_is_determined_by_its_document_type() {
        let webm = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webmB\x87";
        assert_eq!(ebml_type(webm), Some("video/webm"));
        assert_eq!(ebml_type(b"\x1aE\xdf\xa3\xa3B\x82\x88matroska"), Some("video/matroska"));
        assert_eq!(ebml_type(b"\x1aE\xdf\xa3\xa3B\x82\x40\x08matroska"), Some("video/matroska"));
        for other in [&b""[..], b"\x1aE\xdf\xa3", b"\x1aE\xdf\xa3B\x82", b"\x1aE\xdf\xa3B\x82\x84other", b"\x1aE\xdf\xa3B\x82\0"] {
            assert_eq!(ebml_type(other), None, "{other:?}");
        }
    }

    /// The first page of a stream, with one segment.
    fn page(payload: &[u8]) -> Vec<u8> {
        [b"OggS\0\x02", &[0; 20][..], &[1, payload.len() as u8], payload].concat()
    }

    #[test]
    fn ogg_is_video_if_one_of_its_first_streams_is() {
        let (theora, vorbis, skeleton) = (page(b"\x80theora\x03"), page(b"\x01vorbis\0"), page(b"fishead\0\x03"));
        for (pages, expected) in [
            (vec![&theora], "video/ogg"),
            (vec![&vorbis], "audio/ogg"),
            (vec![&page(b"OpusHead\x01")], "audio/ogg"),
            (vec![&skeleton, &vorbis, &theora], "video/ogg"),
            (vec![&skeleton, &vorbis], "audio/ogg"),
            (vec![&skeleton], "application/ogg"),
        ] {
            let file: Vec<u8> = pages.into_iter().flatten().copied().collect();
            assert_eq!(ogg_type(&file), Some(expected));
            for length in 5..file.len() {
                assert!(ogg_type(&file[..length]).is_some());
            }
        }
        assert_eq!(ogg_type(b"OggX\0\x02"), None);
    }

    #[test]
    fn transport_stream_is_recognised_by_three_packets() {
        let packet = [b"G@\0\x10".as_slice(), &[0xff; 184]].concat();
        assert!(transport_stream(&packet.repeat(3)));
        assert!(transport_stream(&[b"\0\0\0\0", packet.as_slice()].concat().repeat(3)));
        assert!(!transport_stream(&packet.repeat(2)));
        assert!(!transport_stream(b"G is a letter"));
    }
}
