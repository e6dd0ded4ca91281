use super::*;

fn found(start: &[u8]) -> Option<&'static str> {
    Signature::of(start).map(|signature| signature.mimetype)
}

fn is_certain(start: &[u8]) -> bool {
    Signature::of(start).is_some_and(|signature| signature.is_certain_media())
}

#[test]
fn formats_are_recognised_under_registered_names() {
    let bmp = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0";
    let icon = b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0\x68\x04\0\0\x16\0\0\0";
    let transport = [b"G@\0\x10".as_slice(), &[0xff; 184]].concat().repeat(4);
    let tar = [[0; 257].as_slice(), b"ustar\0"].concat();
    let table: [(&[u8], &str); 42] = [
        (b"\x89PNG\r\n\x1a\n\0", "image/png"),
        (b"\xff\xd8\xff\xdb", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"RIFF\x1a\0\0\0WEBPVP8 ", "image/webp"),
        (bmp, "image/bmp"),
        (icon, "image/vnd.microsoft.icon"),
        (b"\0\0\x02\0\x01\0\x10\x10\0\0\0\0", "image/vnd.microsoft.icon"),
        (b"II*\0\x08\0\0\0", "image/tiff"),
        (b"MM\0*\0\0\0\x08", "image/tiff"),
        (b"8BPS\0\x01", "image/vnd.adobe.photoshop"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
        (b"\xff\x0a\xfa\x1f", "image/jxl"),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "image/jp2"),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjpx ", "image/jpx"),
        (b"\xff\x4f\xff\x51\0\x29", "image/j2c"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf", "image/avif"),
        (b"\0\0\0\x18ftyp3gp4\0\0\0\0isom3gp4", "video/3gpp"),
        (b"\0\0\0\x08wide\0\0\x10\0mdat", "video/quicktime"),
        (b"\x1aE\xdf\xa3\xa3B\x82\x88matroska", "video/matroska"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\x24\0\0\0AVI LIST", "video/x-msvideo"),
        (b"ID3\x03\0\0\0\0\0\x0a", "audio/mpeg"),
        (b"\xff\xfb\x90\x64\0\0\0", "audio/mpeg"),
        (b"\xff\xf1\x50\x80\x04\x1f\xfc", "audio/aac"),
        (b"fLaC\0\0\0\x22\x10\0", "audio/flac"),
        (b"FORM\0\0\x10\0AIFFCOMM", "audio/aiff"),
        (b"MThd\0\0\0\x06\0\x01", "audio/midi"),
        (b".snd\0\0\0\x18", "audio/basic"),
        (b"#!AMR\n\x3c", "audio/amr"),
        (b"#!AMR-WB\n\x04", "audio/amr-wb"),
        (b"caff\0\x01\0\0desc", "audio/x-caf"),
        (b"FLV\x01\x05\0\0\0\x09", "video/x-flv"),
        (b"\0\0\x01\xba\x44", "video/mpeg"),
        (&transport, "video/mp2t"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c", "video/x-ms-asf"),
        (b"%PDF-1.7", "application/pdf"),
        (b"PK\x03\x04\x14\0", "application/zip"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03", "application/gzip"),
        (&tar, "application/x-tar"),
        (b"glTF\x02\0\0\0", "model/gltf-binary"),
        (b"wOF2\0\x01", "font/woff2"),
        (b"\0\x01\0\0\0\x0f", "font/ttf"),
    ];
    for (start, expected) in table {
        assert_eq!(found(start), Some(expected), "{start:?}");
    }
}

#[test]
fn truncated_or_altered_signatures_are_not_recognised() {
    let others: [&[u8]; 12] = [
        b"",
        b"\x89PN",
        b"GIF88a",
        b"RIFF\0\0\0\0WEBP",
        b"BM is short for benchmark, and much else",
        b"\0\0\x01\0\0\0\x10\x10\0\0",
        b"ID3 tags",
        b"ID3\x03\0\0\xff\0\0\0",
        b"\0\0\0\x18ftypwhat\0\0\0\0",
        // Old office documents are file systems, whose contents are not examined.
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0",
        b"\0asm\x01\0\0\0",
        b"MZ\x90\0",
    ];
    for start in others {
        assert_eq!(found(start), None, "{start:?}");
    }
}

#[test]
fn short_signatures_are_not_certain() {
    for start in
        [&b"\xff\x0a\xfa\x1f"[..], b"\xff\xfb\x90\x64\0\0\0", b"\0\0\x02\0\x01\0\x10\x10\0\0\0\0", b"%PDF-1.7", b"PK\x03\x04"]
    {
        assert!(found(start).is_some() && !is_certain(start), "{start:?}");
    }
    let mp3 = [b"\xff\xfb\x90\x64".as_slice(), &[0; 413]].concat().repeat(2);
    assert!(is_certain(&mp3));
}

#[test]
fn type_of_each_signature_belongs_to_its_format() {
    for (parts, mimetype, format) in SIGNATURES {
        assert!(*format == &OTHER || format.types.contains(mimetype), "{parts:?}");
        assert!(*format == &OTHER || *format == &AMR_WB || FORMATS.contains(format), "{parts:?}");
        assert_eq!(crate::registered_types::registered_type(mimetype), *mimetype);
    }
}

/// Files that begin like one format, and continue like another, as far as possible.
fn mixed_files() -> Vec<Vec<u8>> {
    let fixed = SIGNATURES.iter().map(|(parts, ..)| parts.to_vec());
    let rest: [&[u8]; 9] = [
        b"\0\0\0\x18ftypmif1\0\0\0\0miafavif",
        b"\x1aE\xdf\xa3\xa3B\x82\x88matroska",
        b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x08OpusHeadOggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x08\x80theora",
        b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0",
        b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0\x68\x04\0\0\x16\0\0\0",
        b"ID3\x03\0\0\0\0\0\x0a",
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xabV*I/V\xb22\xd4Q*S\xb2R2\xd53\xd53R\xaa\x05\0",
        b"\0\0\0\x08wide\0\0\x10\0mdat",
        b"\xff\x0a",
    ];
    let frames = |header: &'static [u8], length: usize| vec![(0, header), (length, header)];
    let packets = |first: usize, length: usize| (0..3).map(|index| (first + index * length, &b"\x47"[..])).collect();
    let structured =
        [frames(b"\xff\xfb\x90\x64\0\0", 417), frames(b"\xff\xf1\x50\x80\x04\x1f\xfc", 32), packets(0, 188), packets(4, 192)];
    let formats: Vec<Vec<Part>> = fixed.chain(rest.map(|bytes| vec![(0, bytes)])).chain(structured).collect();
    let mut files = Vec::new();
    for first in &formats {
        for second in &formats {
            let mut file = vec![0; 1000];
            for (offset, bytes) in second.iter().chain(first) {
                file[*offset..][..bytes.len()].copy_from_slice(bytes);
            }
            files.push(file);
        }
    }
    files
}

#[test]
fn settled_signature_does_not_change_with_further_bytes() {
    let mut settled_early = 0;
    for file in mixed_files() {
        let (whole, mut is_settled) = (found(&file), false);
        for length in (0..80).chain(250..265).chain([380, 388, 389, 400, 420, 500, 999]) {
            let start = &file[..length];
            assert!(!is_settled || Signature::is_settled(start), "{length} bytes of {:?}", &file[..32]);
            is_settled = Signature::is_settled(start);
            assert!(
                !is_settled || (found(start), is_certain(start)) == (whole, is_certain(&file)),
                "{length} bytes of {:?}",
                &file[..32]
            );
        }
        settled_early += usize::from(Signature::is_settled(&file[..60]));
    }
    assert!(settled_early > 2000, "{settled_early}");
}
