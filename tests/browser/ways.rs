//! Ways in which a page could make a browser execute media or apply it.

use crate::payloads::{self, Payload, script};

/// A way to execute media.
pub struct Way {
    pub name: &'static str,
    /// The stored media, and the type that it is stored with.
    pub mimetype: &'static str,
    pub payload: Payload,
    /// The body of an asynchronous function. `media` is the URL of the media, and `beacon` the one that the media requests when it is
    /// executed. The function returns when the browser has finished with the media, and returns true if it detects that the media was
    /// executed.
    pub page: &'static str,
    /// A header of the page, in which `MEDIA` is replaced by the URL.
    pub header: Option<(&'static str, &'static str)>,
    /// The origins from which an unrestricted browser executes the media, and the type with which it does.
    pub runs: Runs,
    /// Whether only fetch metadata, and not the type, prevents execution: Chromium accepts any type for XSLT.
    pub needs_fetch_metadata: bool,
}

/// The origins from which a browser executes the same bytes if another server sends them as a plain file.
#[derive(Clone, Copy, PartialEq)]
pub enum Runs {
    /// The browser does not execute it.
    Nowhere,
    /// From the page's origin.
    SameOrigin(&'static str),
    /// From any origin.
    Anywhere(&'static str),
}

use Runs::{Anywhere, Nowhere, SameOrigin};

const JS: &str = "text/javascript";
const HTML: &str = "text/html";
const SVG: &str = "image/svg+xml";
const XML: &str = "application/xml";
const SPECULATION: &str = "application/speculationrules+json";

/// Functions that the pages share. Each returns a promise that settles when the browser has finished.
pub const LIBRARY: &str = r"
    const placed = element => new Promise(done => {
        element.onload = element.onerror = () => done();
        document.body.append(element);
    });
    const element = (name, attributes, namespace = 'http://www.w3.org/1999/xhtml') => {
        const made = document.createElementNS(namespace, name);
        for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
        return placed(made);
    };
    // No event fires if Chromium ignores speculation rules or a shared worker because of the type.
    const soon = new Promise(done => setTimeout(() => done(false), 5000));
    const text = (name, attributes, content) => {
        const made = Object.assign(document.createElement(name), attributes);
        made.textContent = content;
        return made;
    };
    const started = worker => new Promise(done => {
        const port = worker.port ?? worker;
        port.onmessage = () => done(true);
        worker.onerror = () => done(false);
        soon.then(done);
    });
    const inWorker = (source, options) =>
        started(new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })), options));
    const coloured = () => getComputedStyle(document.body).color == 'rgb(1, 2, 3)';
    const registered = async options => {
        const registration = await navigator.serviceWorker.register(media, options);
        await registration.unregister();
        return true;
    };
";

const SCRIPT: &str = "await element('script', { src: media })";
const LATIN1_SCRIPT: &str = "await element('script', { src: media, charset: 'iso-8859-1' })";
const IFRAME: &str = "await element('iframe', { src: media })";
const OBJECT: &str = "await element('object', { data: media })";
const EMBED: &str = "await element('embed', { src: media })";
const JSONP: &str = "globalThis.callback = () => globalThis.ran = 1; await element('script', { src: media })";
const PRELOADED: &str =
    "await element('link', { rel: 'preload', as: 'script', href: media }); await element('script', { src: media })";
const SUBTITLES: &str = "
    const video = document.createElement('video');
    document.body.append(video);
    const track = Object.assign(document.createElement('track'), { default: true, src: media });
    await new Promise(done => { track.onload = track.onerror = done; video.append(track) })";
const STYLESHEET: &str = "await element('link', { rel: 'stylesheet', href: media }); return coloured()";
const MODULE: &str = "await element('script', { src: media, type: 'module' })";
const IMPORT: &str = "await import(media); return true";
const PRELOADED_MODULE: &str = "await element('link', { rel: 'modulepreload', href: media }); await import(media); return true";
const SVG_SCRIPT: &str = "await element('script', { href: media }, 'http://www.w3.org/2000/svg')";
const INLINE_FRAME: &str =
    "await placed(Object.assign(document.createElement('iframe'), { srcdoc: `<script src='${media}'></script>` }))";
const INNER_WORKER: &str = "return inWorker(`const inner = new Worker('${media}');
    inner.onmessage = () => postMessage(1); inner.onerror = () => { throw 0 }`)";
const AUDIO_WORKLET: &str = "await new OfflineAudioContext(1, 1, 44100).audioWorklet.addModule(media); return true";
const WEB_ASSEMBLY: &str = "await WebAssembly.compileStreaming(fetch(media)); return true";
const IMPORTED_STYLESHEET: &str = "await placed(text('style', {}, `@import url('${media}')`)); return coloured()";
const SVG_USE: &str = "document.body.innerHTML = `<svg><use href='${media}#x'/></svg>`; await element('img', { src: media })";
const WORKER: &str = "return started(new Worker(media))";
const MODULE_WORKER: &str = "return started(new Worker(media, { type: 'module' }))";
const SHARED_WORKER: &str = "return started(new SharedWorker(media))";
const SHARED_MODULE_WORKER: &str = "return started(new SharedWorker(media, { type: 'module' }))";
const IMPORT_SCRIPTS: &str = "return inWorker(`importScripts('${media}')`)";
const IMPORT_IN_WORKER: &str = "return inWorker(`import '${media}'`, { type: 'module' })";
const PAINT_WORKLET: &str = "await CSS.paintWorklet.addModule(media); return true";
const IMPORT_MAP: &str =
    "document.body.append(text('script', { type: 'importmap', nonce: 'page' }, JSON.stringify({ imports: { library: media } })));
         await import('library'); return true";
const STYLESHEET_MODULE: &str =
    "document.adoptedStyleSheets = [(await import(media, { with: { type: 'css' } })).default]; return coloured()";
const RULES: &str = "await Promise.race([fetch(beacon.replace('/ran/', '/awaited/')), soon])";

const fn way(name: &'static str, mimetype: &'static str, payload: Payload, page: &'static str, runs: Runs) -> Way {
    Way { name, mimetype, payload, page, header: None, runs, needs_fetch_metadata: false }
}

/// A style sheet that turns an XML document into a page with a script.
const fn xslt(name: &'static str, mimetype: &'static str) -> Way {
    let way = way(name, mimetype, payloads::xslt, "await element('iframe', { src: '/styled?' + media })", SameOrigin(mimetype));
    Way { needs_fetch_metadata: true, ..way }
}

pub const WAYS: &[Way] = &[
    way("a classic script", JS, script, SCRIPT, Anywhere(JS)),
    way("a script with an older type", "application/x-javascript", script, SCRIPT, Anywhere("application/x-javascript")),
    way("a script with an obsolete type", "text/livescript", script, SCRIPT, Anywhere("text/livescript")),
    way("a script with a version", "text/javascript1.5", script, SCRIPT, Anywhere("text/javascript1.5")),
    way("a script with a parameter", "text/ecmascript; charset=utf-8", script, SCRIPT, Anywhere("text/ecmascript; charset=utf-8")),
    way("a script declared as text", "text/plain", script, SCRIPT, Anywhere("text/plain")),
    way("a script declared as bytes", "application/octet-stream", script, SCRIPT, Anywhere("application/octet-stream")),
    way("JSON with padding", "application/json", payloads::jsonp, JSONP, Anywhere(JS)),
    way("a module", JS, script, MODULE, Anywhere(JS)),
    way("a dynamic import", JS, script, IMPORT, Anywhere(JS)),
    way("an import map", JS, script, IMPORT_MAP, Anywhere(JS)),
    way("a module that is preloaded", JS, script, PRELOADED_MODULE, Anywhere(JS)),
    way("a script that is preloaded", JS, script, PRELOADED, Anywhere(JS)),
    Way {
        header: Some(("link", "<MEDIA>; rel=preload; as=script")),
        ..way("a script that a header preloads", JS, script, SCRIPT, Anywhere(JS))
    },
    way("a script in an SVG in the page", JS, script, SVG_SCRIPT, Anywhere(JS)),
    way("a script in a frame with inline source", JS, script, INLINE_FRAME, Anywhere(JS)),
    way("a worker", JS, script, WORKER, SameOrigin(JS)),
    way("a module worker", JS, script, MODULE_WORKER, SameOrigin(JS)),
    way("a shared worker", JS, script, SHARED_WORKER, SameOrigin(JS)),
    way("a shared module worker", JS, script, SHARED_MODULE_WORKER, SameOrigin(JS)),
    way("a worker started by a worker", JS, script, INNER_WORKER, SameOrigin(JS)),
    way("an imported script", JS, script, IMPORT_SCRIPTS, Anywhere(JS)),
    way("an import in a module worker", JS, script, IMPORT_IN_WORKER, Anywhere(JS)),
    way("a service worker", JS, script, "return registered({})", SameOrigin(JS)),
    way("a service worker for the whole site", JS, script, "return registered({ scope: '/' })", SameOrigin(JS)),
    way("a service worker that is a module", JS, script, "return registered({ type: 'module' })", SameOrigin(JS)),
    way("an audio worklet", JS, script, AUDIO_WORKLET, Anywhere(JS)),
    way("a paint worklet", JS, script, PAINT_WORKLET, Anywhere(JS)),
    way("WebAssembly", "application/wasm", payloads::wasm, WEB_ASSEMBLY, Anywhere("application/wasm")),
    way("a GIF as a script", "image/gif", payloads::gif_script, LATIN1_SCRIPT, Anywhere(JS)),
    way("a JPEG as a script", "image/jpeg", payloads::jpeg_script, LATIN1_SCRIPT, Anywhere(JS)),
    way("a BMP as a script", "image/bmp", payloads::bmp_script, LATIN1_SCRIPT, Anywhere(JS)),
    way("a WebP as a script", "image/webp", payloads::webp_script, LATIN1_SCRIPT, Anywhere(JS)),
    way("a WAV as a script", "audio/wav", payloads::wav_script, LATIN1_SCRIPT, Anywhere(JS)),
    way("an Ogg as a script", "audio/ogg", payloads::ogg_script, LATIN1_SCRIPT, Anywhere(JS)),
    way("a FLAC as a script", "audio/flac", payloads::flac_script, LATIN1_SCRIPT, Anywhere(JS)),
    way("an MP3 as a script", "audio/mpeg", payloads::mp3_script, LATIN1_SCRIPT, Anywhere(JS)),
    way("an MP4 as a script", "video/mp4", payloads::mp4_script, LATIN1_SCRIPT, Anywhere(JS)),
    way("a script that begins like a GIF", JS, payloads::gif_script, LATIN1_SCRIPT, Anywhere(JS)),
    way("a worker that begins like a GIF", "image/gif", payloads::gif_script, WORKER, SameOrigin(JS)),
    way("a style sheet", "text/css", payloads::css, STYLESHEET, Anywhere("text/css")),
    way("a style sheet that begins like a GIF", "image/gif", payloads::gif_css, STYLESHEET, Anywhere("text/css")),
    way("an imported style sheet", "text/css", payloads::css, IMPORTED_STYLESHEET, Anywhere("text/css")),
    way("a style sheet that is a module", "text/css", payloads::css, STYLESHEET_MODULE, Anywhere("text/css")),
    xslt("an XSLT style sheet", "text/xsl"),
    xslt("an XSLT style sheet declared as XML", XML),
    xslt("an XSLT style sheet with the registered type", "application/xslt+xml"),
    xslt("an XSLT style sheet declared as SVG", SVG),
    way("an SVG in an image", SVG, payloads::svg, "await element('img', { src: media })", Nowhere),
    way("an SVG in a frame", SVG, payloads::svg, IFRAME, Anywhere(SVG)),
    way("an SVG in an object", SVG, payloads::svg, OBJECT, Anywhere(SVG)),
    way("an SVG in an embed", SVG, payloads::svg, EMBED, Anywhere(SVG)),
    way("an SVG that another SVG uses", SVG, payloads::svg, SVG_USE, Nowhere),
    way("an SVG declared as XML in a frame", XML, payloads::svg, IFRAME, Anywhere(XML)),
    way("an SVG declared as PNG in a frame", "image/png", payloads::svg, IFRAME, Nowhere),
    way("HTML in a frame", HTML, payloads::html, IFRAME, Anywhere(HTML)),
    way("HTML in an object", HTML, payloads::html, OBJECT, Anywhere(HTML)),
    way("HTML in an embed", HTML, payloads::html, EMBED, Anywhere(HTML)),
    way("HTML declared as text in a frame", "text/plain", payloads::html, IFRAME, Nowhere),
    way("HTML declared as PNG in a frame", "image/png", payloads::html, IFRAME, Nowhere),
    way("HTML declared as bytes in a frame", "application/octet-stream", payloads::html, IFRAME, Nowhere),
    way("HTML of an unknown type in a frame", "x/y", payloads::html, IFRAME, Nowhere),
    way("HTML in parts in a frame", "multipart/x-mixed-replace; boundary=x", payloads::replaced, IFRAME, Nowhere),
    way("XHTML in a frame", "application/xhtml+xml", payloads::xhtml, IFRAME, Anywhere("application/xhtml+xml")),
    way("XHTML declared as XML in a frame", XML, payloads::xhtml, IFRAME, Anywhere(XML)),
    way("XHTML declared as text/xml in a frame", "text/xml", payloads::xhtml, IFRAME, Anywhere("text/xml")),
    way("a feed in a frame", "application/atom+xml", payloads::feed, IFRAME, Nowhere),
    way("XHTML in an object", XML, payloads::xhtml, OBJECT, Anywhere(XML)),
    way("a PDF in a frame", "application/pdf", payloads::pdf, IFRAME, Nowhere),
    way("a PDF in an object", "application/pdf", payloads::pdf, OBJECT, Nowhere),
    way("a web archive in a frame", "multipart/related", payloads::mhtml, IFRAME, Nowhere),
    way("subtitles", "text/vtt", payloads::vtt, SUBTITLES, Nowhere),
    Way {
        header: Some(("speculation-rules", "\"MEDIA\"")),
        ..way("speculation rules", SPECULATION, payloads::speculation_rules, RULES, Anywhere(SPECULATION))
    },
];
