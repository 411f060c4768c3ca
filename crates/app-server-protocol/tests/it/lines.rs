use app_server_protocol::{Lines, MAX_LINE_BYTES, TooLong};

fn cut(pieces: &[&[u8]]) -> Vec<Result<String, TooLong>> {
    let mut lines = Lines::default();
    let mut cut = Vec::new();
    for piece in pieces {
        lines.push(piece);
        while let Some(line) = lines.pop() {
            cut.push(line);
        }
    }
    cut.extend(lines.finish().map(Ok));
    cut
}

#[test]
fn lines_are_the_same_however_the_bytes_arrive() {
    let text = "{\"a\":\"ä\"}\n\r\n\n  \n{\"b\":1}\r\nlast".as_bytes();
    let expected = ["{\"a\":\"ä\"}", "{\"b\":1}", "last"].map(|line| Ok(line.to_owned()));
    assert_eq!(cut(&[text]), expected);
    for at in 0..text.len() {
        assert_eq!(cut(&[&text[..at], &text[at..]]), expected, "cut at {at}");
    }
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(cut(&bytes), expected);
}

#[test]
fn bytes_that_are_not_text_do_not_end_the_stream() {
    let cut = cut(&[b"\xff\xfe\n{}\n"]);
    assert_eq!(cut[0], Ok("\u{fffd}\u{fffd}".to_owned()));
    assert_eq!(cut[1], Ok("{}".to_owned()));
}

#[test]
fn a_line_without_end_costs_one_line() {
    let flood = vec![b'x'; MAX_LINE_BYTES / 2 + 1];
    let whole: Vec<u8> = [&flood[..], &flood, &flood, b"\n{}\n"].concat();
    let expected = [Err(TooLong), Ok("{}".to_owned())];
    assert_eq!(cut(&[&whole]), expected, "in one piece");
    assert_eq!(cut(&[&flood, &flood, &flood, &flood, b"\n{}\n"]), expected, "in pieces");
}
