use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use super::*;

#[test]
fn the_ready_line_says_where_the_stack_listens() {
    let ready = "ready http=http://127.0.0.1:1 ws=ws://127.0.0.1:2/prod \
                 dynamodb=http://127.0.0.1:3 sqs=http://127.0.0.1:4\n";
    let addresses = addresses_in(ready).unwrap();
    assert_eq!(addresses.http, "http://127.0.0.1:1");
    assert_eq!(addresses.ws, "ws://127.0.0.1:2/prod");
    assert_eq!(addresses.dynamodb, "http://127.0.0.1:3");
    assert_eq!(addresses_in(""), None);
    assert_eq!(addresses_in("ready http=http://127.0.0.1:1\n"), None);
}

#[test]
fn the_last_reached_is_the_first_and_the_largest_offset() {
    let mut offsets = Histogram::<u64>::new(3).unwrap();
    for offset_us in [0, 100, 1_000] {
        offsets.record(offset_us).unwrap();
    }
    let mut histogram = Vec::new();
    V2DeflateSerializer::new()
        .serialize(&offsets, &mut histogram)
        .unwrap();
    let document = json!({
        "id": "a", "reached": 3, "duplicates": 1, "firstAtUs": 5_000_000,
        "offsetsUs": BASE64_STANDARD.encode(histogram),
    });
    let taken = taken_in(&document).unwrap();
    assert_eq!((taken.reached, taken.duplicates), (3, 1));
    let last_at = taken.last_at.unwrap();
    assert_eq!(last_at.as_micros() / 10, 500_100);
    assert_eq!(taken_in(&json!({"reached": 3})), None);
}
