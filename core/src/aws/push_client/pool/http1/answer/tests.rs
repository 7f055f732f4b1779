//! Answers, whole and in pieces.

use proptest::prelude::*;

use super::*;
use crate::aws::push_client::pool::exchange::MOST_BODY;
use crate::aws::push_client::pool::http1::head::MOST_HEAD;

/// What an answer comes to.
#[derive(Debug, PartialEq)]
enum Read {
    /// Its status and body, and what came behind it where it leaves the
    /// connection open.
    Whole(u16, Vec<u8>, Option<Vec<u8>>),
    /// As long as the connection does not end.
    Waits,
    Lost(Option<Malformed>),
    Cut(Option<Malformed>),
}

/// Reads what comes in pieces; `is_closed` if the connection ends behind it.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, is_closed: bool) -> Read {
    let (mut reader, mut came) = (Reader::default(), BytesMut::new());
    let mut pieces = pieces.into_iter();
    let read = loop {
        match reader.read(&mut came) {
            Ok(Some(answer)) => break Ok(answer),
            Err(failure) => break Err(failure),
            Ok(None) => match pieces.next() {
                Some(piece) => came.extend_from_slice(piece),
                None if is_closed => break reader.end(Fault::Closed),
                None => return Read::Waits,
            },
        }
    };
    pieces.for_each(|piece| came.extend_from_slice(piece));
    let malformed = |fault| match fault {
        Fault::Http1(malformed) => Some(malformed),
        _ => None,
    };
    match read {
        Ok(answer) => Read::Whole(
            answer.response.status().as_u16(),
            answer.response.into_body().to_vec(),
            answer.leaves_open.then(|| came.to_vec()),
        ),
        Err(Failure::Lost(fault)) => Read::Lost(malformed(fault)),
        Err(Failure::Cut(fault)) => Read::Cut(malformed(fault)),
        Err(Failure::Unsent(fault)) => panic!("{fault}"),
    }
}

fn open(status: u16, body: &str) -> Read {
    Read::Whole(status, body.into(), Some(Vec::new()))
}

fn last(status: u16, body: &str) -> Read {
    Read::Whole(status, body.into(), None)
}

/// Checks what is read of an answer that is followed by silence: whole, byte by
/// byte, and in two pieces, wherever it is cut; a long one is cut less often.
#[track_caller]
fn check(answer: &str, expected: &Read) {
    check_ended(answer, false, expected);
}

#[track_caller]
fn check_ended(answer: &str, is_closed: bool, expected: &Read) {
    let bytes = answer.as_bytes();
    assert_eq!(&read([bytes], is_closed), expected, "{answer:?}");
    assert_eq!(
        &read(bytes.chunks(1 + bytes.len() / 500), is_closed),
        expected,
        "{answer:?}"
    );
    for cut in (0..bytes.len()).step_by(1 + bytes.len() / 500) {
        let (one, other) = bytes.split_at(cut);
        let read = read([one, other], is_closed);
        assert_eq!(&read, expected, "{answer:?} cut at {cut}");
    }
}

#[test]
fn a_length_tells_where_a_body_ends() {
    check(
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        &open(200, ""),
    );
    check(
        "HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\n{}",
        &open(410, "{}"),
    );
    check(
        "HTTP/1.1 410\r\ncontent-length:2 \r\n\r\n{}",
        &open(410, "{}"),
    );
    let same = "HTTP/1.1 410 Gone\r\ncontent-length: 2, 2\r\ncontent-length: 2\r\n\r\n{}";
    check(same, &open(410, "{}"));
    check(
        "HTTP/1.1 410 Gone\r\ncontent-length: 3\r\n\r\n{}",
        &Read::Waits,
    );
}

#[test]
fn a_length_that_is_none_is_no_answer() {
    let lost = Read::Lost(Some(Malformed::ContentLength));
    for length in [
        "",
        "+2",
        "-2",
        "2 2",
        "0x2",
        "2,",
        "2, 3",
        "2\r\ncontent-length: 3",
    ] {
        check(
            &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{{}}"),
            &lost,
        );
    }
    let beyond = "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n";
    check(beyond, &lost);
}

#[test]
fn some_answers_have_no_body_whatever_they_say() {
    check("HTTP/1.1 204 No Content\r\n\r\n", &open(204, ""));
    check(
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
        &open(304, ""),
    );
}

#[test]
fn the_last_chunk_is_empty() {
    let chunked =
        |chunks: &str| format!("HTTP/1.1 410 Gone\r\nTransfer-Encoding: Chunked\r\n\r\n{chunks}");
    check(&chunked("0\r\n\r\n"), &open(410, ""));
    check(&chunked("2\r\n{}\r\n0\r\n\r\n"), &open(410, "{}"));
    let sizes = "1\r\na\r\nA\r\n0123456789\r\n0002\r\nbc\r\n000\r\n\r\n";
    check(&chunked(sizes), &open(410, "a0123456789bc"));
    let extended = "2;a=\"b\"\r\n{}\r\n1 ; c\r\nx\r\n0;d\r\nTrailer: t\r\nother:\r\n\r\n";
    check(&chunked(extended), &open(410, "{}x"));
    check(&chunked("2\r\n{}\r\n0\r\n"), &Read::Waits);
    check_ended(&chunked("2\r\n{}\r\n0\r\n"), true, &Read::Cut(None));
    check_ended(&chunked("2\r\n{"), true, &Read::Cut(None));
}

#[test]
fn a_chunk_that_is_none_ends_an_answer() {
    let cut = Read::Cut(Some(Malformed::Chunk));
    for chunks in [
        "\r\n\r\n",
        ";a\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n",
        "0x2\r\n{}\r\n",
        "g\r\n",
        "2\n{}",
        "2;a\n0\r\n\r\n",
        "2 2\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}\n",
        "2\r\n{}\rx",
        "10000000000000000\r\n",
    ] {
        let answer = format!("HTTP/1.1 410 Gone\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
        check(&answer, &cut);
    }
    let trailer = "HTTP/1.1 410 Gone\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{}\r\n\r\n";
    let broken = Malformed::Head(httparse::Error::HeaderName);
    check(trailer, &Read::Cut(Some(broken)));
}

#[test]
fn who_says_both_is_not_asked_again() {
    let both = "HTTP/1.1 410 Gone\r\ncontent-length: 30\r\ntransfer-encoding: chunked\r\n\r\n\
                2\r\n{}\r\n0\r\n\r\n";
    check(both, &last(410, "{}"));
}

#[test]
fn chunks_come_last_or_not_at_all() {
    let answer = |version: u8, coding: &str| {
        format!("HTTP/1.{version} 410 Gone\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n")
    };
    check(&answer(1, "gzip, chunked"), &open(410, ""));
    check_ended(&answer(1, "gzip"), true, &last(410, "0\r\n\r\n"));
    check_ended(&answer(1, "chunkedx"), true, &last(410, "0\r\n\r\n"));
    let lost = Read::Lost(Some(Malformed::TransferEncoding));
    check(&answer(1, "chunked, gzip"), &lost);
    check(&answer(1, "chunked\r\ntransfer-encoding: chunked"), &lost);
    check(&answer(0, "chunked"), &lost);
}

#[test]
fn without_either_a_body_ends_with_its_connection() {
    let answer = "HTTP/1.1 410 Gone\r\n\r\n{}";
    check(answer, &Read::Waits);
    check_ended(answer, true, &last(410, "{}"));
    check_ended("HTTP/1.1 200 OK\r\n\r\n", true, &last(200, ""));
    let mut reader = Reader::default();
    assert!(reader.read(&mut BytesMut::from(answer)).unwrap().is_none());
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    assert!(matches!(reader.end(Fault::Io(reset)), Err(Failure::Cut(_))));
}

#[test]
fn a_connection_is_left_open_unless_it_is_said_or_old() {
    let answer = |version: u8, said: &str| {
        format!("HTTP/1.{version} 200 OK\r\n{said}content-length: 2\r\n\r\n{{}}")
    };
    check(&answer(1, "connection: keep-alive\r\n"), &open(200, "{}"));
    check(&answer(1, "Connection: x, Close\r\n"), &last(200, "{}"));
    let two = "connection: keep-alive\r\nconnection: close\r\n";
    check(&answer(1, two), &last(200, "{}"));
    check(&answer(0, ""), &last(200, "{}"));
    check(&answer(0, "connection: Keep-Alive\r\n"), &open(200, "{}"));
}

#[test]
fn interim_answers_are_passed_over() {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\
                  content-length: x\r\n\r\nHTTP/1.1 410 Gone\r\ncontent-length: 2\r\n\r\n{}";
    check(answer, &open(410, "{}"));
    check("HTTP/1.1 100 Continue\r\n\r\n", &Read::Waits);
    check_ended("HTTP/1.1 100 Continue\r\n\r\n", true, &Read::Lost(None));
    let switched = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n";
    check(switched, &Read::Lost(Some(Malformed::Switched)));
}

#[test]
fn what_is_behind_an_answer_is_left() {
    let two = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 410";
    let left = Some(b"HTTP/1.1 410".to_vec());
    check(two, &Read::Whole(200, b"{}".into(), left));
    let two = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n\r\n";
    check(two, &Read::Whole(200, Vec::new(), Some(b"\r\n".to_vec())));
}

#[test]
fn a_head_that_is_none_is_no_answer() {
    for head in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2.0 200 OK\r\n",
        "HTTP/1.1 2x0 OK\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: \0\r\n\r\n",
    ] {
        let lost = read([head.as_bytes()], false);
        assert!(
            matches!(lost, Read::Lost(Some(Malformed::Head(_)))),
            "{head:?}: {lost:?}"
        );
        assert_eq!(read(head.as_bytes().chunks(1), false), lost, "{head:?}");
    }
    let lost = Read::Lost(Some(Malformed::Status(99)));
    check("HTTP/1.1 099 None\r\n\r\n", &lost);
    check_ended("HTTP/1.1 200 O", true, &Read::Lost(None));
}

#[test]
fn of_what_is_no_success_the_headers_are_kept() {
    let answer = "HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nx: 1\r\nx: 2\r\ncontent-length: 0\r\n\r\n";
    let whole = Reader::default().read(&mut answer.into()).unwrap().unwrap();
    let headers = whole.response.headers();
    assert_eq!(headers.get("retry-after").unwrap(), "3");
    assert_eq!(headers.get_all("x").iter().count(), 2);
}

#[test]
fn heads_lines_and_trailers_have_a_bound() {
    let with_length = |length: usize| {
        let rest = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: \r\n\r\n".len();
        let filling = "y".repeat(length - rest);
        format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: {filling}\r\n\r\n")
    };
    check(&with_length(MOST_HEAD), &open(200, ""));
    check(
        &with_length(MOST_HEAD + 1),
        &Read::Lost(Some(Malformed::Long)),
    );
    let many = "a: b\r\n".repeat(101);
    let too_many = Read::Lost(Some(Malformed::Head(httparse::Error::TooManyHeaders)));
    check(&format!("HTTP/1.1 200 OK\r\n{many}\r\n"), &too_many);
    let long = "y".repeat(MOST_HEAD);
    let chunked = "HTTP/1.1 410 Gone\r\ntransfer-encoding: chunked\r\n\r\n";
    let cut = Read::Cut(Some(Malformed::Long));
    check(&format!("{chunked}1;{long}\r\nx\r\n"), &cut);
    check(&format!("{chunked}0\r\nx: {long}\r\n\r\n"), &cut);
}

#[test]
fn a_body_is_kept_up_to_its_bound_and_not_read_beyond() {
    let most = "x".repeat(MOST_BODY);
    let answer = |body: &str| {
        let length = body.len();
        format!("HTTP/1.1 410 Gone\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    check(&answer(&most), &open(410, &most));
    check(&answer(&format!("{most}x")), &last(410, &most));
    let unsaid = format!("HTTP/1.1 410 Gone\r\n\r\n{most}");
    check_ended(&unsaid, true, &last(410, &most));
    check(&format!("{unsaid}x"), &last(410, &most));
    let chunked =
        format!("HTTP/1.1 410 Gone\r\ntransfer-encoding: chunked\r\n\r\n1000\r\n{most}\r\n1\r\nx");
    check(&chunked, &last(410, &most));
}

/// A body in chunks of these sizes, with extensions and trailers.
fn chunked(chunks: &[Vec<u8>], extension: &str, trailer: Option<&str>) -> Vec<u8> {
    let mut text = Vec::new();
    for chunk in chunks {
        text.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
        text.extend(chunk);
        text.extend(b"\r\n");
    }
    text.extend(b"0\r\n");
    text.extend(trailer.unwrap_or_default().bytes());
    text.extend(b"\r\n");
    text
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..400)
}

proptest! {
    #[test]
    fn chunks_are_read_however_they_are_cut(
        chunks in proptest::collection::vec(bytes(), 0..9),
        extension in "(;[a-z]{1,9}(=[a-z]{1,9})?)?",
        trailer in proptest::option::of("[a-z]{1,9}: [a-z]{0,9}\r\n"),
        cuts in proptest::collection::vec(1_usize..200, 1..20),
    ) {
        let mut answer = b"HTTP/1.1 410 Gone\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        answer.extend(chunked(&chunks, &extension, trailer.as_deref()));
        let body = chunks.concat();
        let expected = Read::Whole(410, body, Some(Vec::new()));
        let mut cuts = cuts.iter().cycle();
        let mut rest = answer.as_slice();
        let pieces = std::iter::from_fn(|| {
            let cut = rest.len().min(*cuts.next()?);
            let piece = rest.split_off(..cut)?;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(read(pieces, false), expected);
    }

    #[test]
    fn whatever_comes_is_read_alike_however_it_is_cut(
        start in prop_oneof![
            Just("HTTP/1.1 410 Gone\r\ntransfer-encoding: chunked\r\n\r\n"),
            Just("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n"),
            Just("HTTP/1.1 "),
            Just(""),
        ],
        noise in proptest::collection::vec(
            proptest::sample::select(b"\r\n\r\n\r\n0012aF;:, \tx\0HTTP/1.\xff".to_vec()),
            0..60,
        ),
        is_closed in any::<bool>(),
    ) {
        let mut answer = start.as_bytes().to_vec();
        answer.extend(noise);
        let whole = read([answer.as_slice()], is_closed);
        let pieces = read(answer.chunks(1), is_closed);
        prop_assert_eq!(whole, pieces);
    }
}
