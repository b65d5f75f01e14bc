use super::*;

fn one(bytes: &[u8]) -> Value {
    let (mut values, error) = decode(bytes);
    assert_eq!(error, None);
    assert_eq!(values.len(), 1);
    values.remove(0)
}

#[test]
fn round_trip() {
    let values = [
        Value::Number(-1.5),
        true.into(),
        "live".into(),
        Value::String("x".repeat(70_000)),
        Value::Xml("<a/>".into()),
        object([("app", "live".into()), ("nested", object([("n", 3.0.into())]))]),
        Value::Array(vec![Value::Null, Value::Undefined, Value::Date(1e12)]),
    ];
    assert_eq!(decode(&encode_all(&values)), (values.to_vec(), None));
}

#[test]
fn c11_ecma_array_count_is_a_hint() {
    for count in [0u8, 1, 200] {
        let bytes = [&[8, 0, 0, 0, count, 0, 1, b'a', 1, 1][..], &[0, 1, b'b', 5, 0, 0, 9]].concat();
        assert_eq!(
            one(&bytes),
            object([("a", true.into()), ("b", Value::Null)]),
            "count {count}"
        );
    }
}

#[test]
fn c11_objects_cut_off_keep_what_was_read() {
    let bytes = [3, 0, 1, b'a', 1, 1, 0, 1, b'b', 0, 0x40];
    assert_eq!(one(&bytes), object([("a", true.into())]));
}

#[test]
fn c11_every_type_reads() {
    assert_eq!(one(&[0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60]), Value::Date(0.0));
    assert_eq!(
        one(&[0x0a, 0, 0, 0, 2, 5, 6]),
        Value::Array(vec![Value::Null, Value::Undefined])
    );
    assert_eq!(one(&[0x0d]), Value::Undefined);
    assert_eq!(one(&[0x07, 0, 1]), Value::Undefined);
    assert_eq!(
        one(&[0x10, 0, 1, b'C', 0, 1, b'a', 5, 0, 0, 9]),
        object([("a", Value::Null)])
    );
    assert_eq!(one(&[0x0f, 0, 0, 0, 1, b'x']), Value::Xml("x".into()));
}

#[test]
fn c11_numbers_as_text() {
    assert_eq!(Value::from(" 29.97 ").as_number(), Some(29.97));
    assert_eq!(Value::from("avc1").as_number(), None);
}

#[test]
fn c16_nesting_is_bounded() {
    let deep = [3, 0, 1, b'a'].repeat(10_000);
    assert_eq!(decode(&deep), (vec![], Some(AmfError::Depth)));
    let arrays = [0x0a, 0, 0, 0, 1].repeat(10_000);
    assert_eq!(decode(&arrays), (vec![], Some(AmfError::Depth)));
}

#[test]
fn p023_a_huge_array_count_costs_nothing() {
    assert_eq!(one(&[0x0a, 0xff, 0xff, 0xff, 0xff]), Value::Array(vec![]));
    let many: Vec<u8> = [&[0x0a, 0, 1, 0, 0][..], &[5; 65_536]].concat();
    assert_eq!(decode(&many), (vec![], Some(AmfError::TooMany)));
}

#[test]
fn c17_bytes_that_are_not_utf8_are_marked() {
    assert_eq!(one(&[2, 0, 2, 0xff, b'a']), Value::String("\u{fffd}a".into()));
}

#[test]
fn damage_keeps_the_values_before_it() {
    let (values, error) = decode(&[5, 1, 1, 0x42, 9]);
    assert_eq!(values, [Value::Null, Value::Boolean(true)]);
    assert_eq!(error, Some(AmfError::Marker { marker: 0x42, at: 3 }));
    assert_eq!(decode(&[0, 1]).1, Some(AmfError::Truncated(2)));
}

#[test]
fn b19_amf3_behind_the_switch_marker() {
    assert_eq!(one(&[0x11, 0x06, 0x09, b'l', b'i', b'v', b'e']), "live".into());
    assert_eq!(one(&[0x11, 0x04, 0xff, 0xff, 0xff, 0xff]), Value::Number(-1.0));
    assert_eq!(one(&[0x11, 0x04, 0x81, 0x00]), Value::Number(128.0));
    // a dynamic anonymous object {a: true, b: "a"} whose "a" is a reference to the first string
    let object_bytes = [0x11, 0x0a, 0x0b, 0x01, 0x03, b'a', 0x03, 0x03, b'b', 0x06, 0x00, 0x01];
    assert_eq!(one(&object_bytes), object([("a", true.into()), ("b", "a".into())]));
    // [null, 1.0] and then an AMF0 value
    let mixed = [&[0x11, 0x09, 0x05, 0x01, 0x01, 0x05][..], &1f64.to_be_bytes(), &[5]].concat();
    assert_eq!(
        decode(&mixed),
        (vec![Value::Array(vec![Value::Null, 1.0.into()]), Value::Null], None)
    );
    assert_eq!(decode(&[0x11, 0x06, 0x04]).1, Some(AmfError::Reference(2)));
}
