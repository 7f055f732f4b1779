//! Bad messages and bad frames, generated.

use fastrand::Rng;
use serde_json::{Value, json};

use super::raw::{BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT, write_frame, write_header};

const MAX_FRAME_BYTES: usize = 32 * 1024;
const MAX_MESSAGE_BYTES: usize = 128 * 1024;

/// A text that is no action, and is answered with an error frame.
pub(super) fn message(random: &mut Rng) -> String {
    match random.u8(..8) {
        0 => garbage(random, 200),
        1 => cut_off(random),
        2 => ["[", "{\"a\":", "[[1],"][random.usize(..3)].repeat(random.usize(1..400)),
        3 => json!({"action": wrong_action(random)}).to_string(),
        4 => format!(
            "{{\"action\":\"ping\",\"n\":{}1e9999}}",
            "9".repeat(random.usize(..500))
        ),
        5 => "9".repeat(random.usize(1..500)),
        6 => json!({"no action": garbage(random, 20)}).to_string(),
        _ => wrong_fields(random).to_string(),
    }
}

fn garbage(random: &mut Rng, most: usize) -> String {
    let count = random.usize(..most);
    (0..count).map(|_| random.char(..)).collect()
}

/// An action that lacks its end.
fn cut_off(random: &mut Rng) -> String {
    let text = json!({"action": "echo", "text": garbage(random, 30)}).to_string();
    let length = random.usize(..text.chars().count());
    text.chars().take(length).collect()
}

fn wrong_action(random: &mut Rng) -> Value {
    match random.u8(..5) {
        0 => Value::Null,
        1 => json!(random.i64(..)),
        2 => json!(["ping"]),
        3 => json!({"action": "ping"}),
        // With the prefix it is none that is known.
        _ => json!(format!("?{}", garbage(random, 300))),
    }
}

/// A known action without what it needs.
fn wrong_fields(random: &mut Rng) -> Value {
    let action = ["subscribe", "unsubscribe"][random.usize(..2)];
    let topics = match random.u8(..8) {
        0 => return json!({"action": action}),
        1 => return json!({"action": "sendmessage", "massage": garbage(random, 20)}),
        2 => json!("news"),
        3 => json!([]),
        4 => json!(["news", random.i32(..)]),
        5 => json!({"0": "news"}),
        6 => json!(vec!["news"; random.usize(91..120)]),
        _ => {
            let count = random.usize(1..30);
            // A blank is in no topic's name.
            let names = (0..count).map(|_| format!(" {}", garbage(random, 60)));
            json!(names.collect::<Vec<_>>())
        }
    };
    json!({"action": action, "topics": topics})
}

/// What closes a socket.
pub(super) struct Closing {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    /// How many frames that is.
    pub(super) frames: usize,
    /// The code that it is closed with.
    pub(super) code: u16,
}

type Kind = (&'static str, u16, fn(&mut Rng, &mut Vec<u8>) -> usize);

/// What API Gateway closes a socket for
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>;
/// RFC 6455, section 7.4.1).
const KINDS: [Kind; 15] = [
    ("binary", 1003, |random, to| {
        write_frame(to, FIN | BINARY, &bytes(random));
        1
    }),
    ("binary in pieces", 1003, |random, to| {
        write_frame(to, BINARY, &bytes(random));
        write_frame(to, FIN | CONTINUATION, &bytes(random));
        2
    }),
    ("not UTF-8", 1007, |random, to| {
        let mut text = garbage(random, 50).into_bytes();
        text.push(0xff);
        text.extend(bytes(random));
        write_frame(to, FIN | TEXT, &text);
        1
    }),
    ("cut within a character", 1007, |_, to| {
        write_frame(to, TEXT, "caf".as_bytes());
        write_frame(to, FIN | CONTINUATION, &"é".as_bytes()[..1]);
        2
    }),
    ("not masked", 1002, |random, to| {
        let payload = bytes(random);
        write_header(to, FIN | TEXT, payload.len(), false);
        to.extend(payload);
        1
    }),
    ("reserved opcode", 1002, |random, to| {
        let opcode = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15][random.usize(..10)];
        write_frame(to, FIN | opcode, b"{}");
        1
    }),
    ("reserved bits", 1002, |random, to| {
        let bits = random.u8(1..8) << 4;
        write_frame(to, FIN | bits | TEXT, b"{}");
        1
    }),
    ("continuation of nothing", 1002, |random, to| {
        write_frame(to, FIN | CONTINUATION, &bytes(random));
        1
    }),
    ("a message within a message", 1002, |_, to| {
        write_frame(to, TEXT, b"{");
        write_frame(to, FIN | TEXT, b"}");
        2
    }),
    ("ping in pieces", 1002, |_, to| {
        write_frame(to, PING, b"a");
        1
    }),
    ("long ping", 1002, |_, to| {
        write_frame(to, FIN | PING, &[0; 126]);
        1
    }),
    ("close without half of its code", 1002, |_, to| {
        write_frame(to, FIN | CLOSE, &[3]);
        1
    }),
    ("frame over the limit", 1009, |random, to| {
        let length = MAX_FRAME_BYTES + 1 + random.usize(..1_000);
        write_frame(to, FIN | TEXT, &vec![b' '; length]);
        1
    }),
    ("frame that never ends", 1009, |_, to| {
        write_header(to, FIN | TEXT, 1 << 40, true);
        1
    }),
    ("message over the limit", 1009, |_, to| {
        let frames = MAX_MESSAGE_BYTES / MAX_FRAME_BYTES;
        for n in 0..frames {
            let opcode = if n == 0 { TEXT } else { CONTINUATION };
            write_frame(to, opcode, &[b' '; MAX_FRAME_BYTES]);
        }
        write_frame(to, FIN | CONTINUATION, b" ");
        frames + 1
    }),
];

/// Frames that close the socket.
pub(super) fn closing(random: &mut Rng) -> Closing {
    let (name, code, write) = KINDS[random.usize(..KINDS.len())];
    let mut bytes = Vec::new();
    let frames = write(random, &mut bytes);
    Closing {
        name,
        bytes,
        frames,
        code,
    }
}

fn bytes(random: &mut Rng) -> Vec<u8> {
    let count = random.usize(..100);
    (0..count).map(|_| random.u8(..)).collect()
}
