use super::parse;

#[test]
fn errors_name_their_place() {
    let error = parse("SELECT *\nFROM DIGITALTWIN").unwrap_err();
    assert_eq!((error.line, error.position), (2, 6));
    for bad in [
        "",
        "SELECT",
        "SELECT * FROM",
        "SELECT * FROM DIGITALTWINS WHERE",
        "SELECT * FROM DIGITALTWINS T WHERE T.a =",
        "SELECT * FROM DIGITALTWINS WHERE a IN []",
        "SELECT TOP(-1) FROM DIGITALTWINS",
        "SELECT * FROM DIGITALTWINS WHERE a = 'x",
        "SELECT * FROM DIGITALTWINS T JOIN S RELATED T.x",
        "SELECT * FROM DIGITALTWINS WHERE IS_OF_MODEL('x')",
        "SELECT * FROM DIGITALTWINS ORDER BY x",
        "SELECT * FROM DIGITALTWINS WHERE WHAT(a)",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = format!("SELECT * FROM DIGITALTWINS WHERE {}a = 1{}", "(".repeat(3000), ")".repeat(3000));
    assert!(parse(&deep).unwrap_err().message.contains("nested"));
    let not = format!("SELECT * FROM DIGITALTWINS WHERE {}a = 1", "NOT ".repeat(1500));
    assert!(parse(&not).unwrap_err().message.contains("nested"));
    assert!(parse(&" ".repeat(9000)).unwrap_err().message.contains("8000"));
    let many = format!("SELECT * FROM DIGITALTWINS WHERE a = 1{}", " AND a = 1".repeat(51));
    assert!(parse(&many).unwrap_err().message.contains("more than 50"));
}
