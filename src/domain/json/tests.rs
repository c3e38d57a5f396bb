//! Documents and paths against serde_json and serde_json_path, which read and ask the same in another way.

use std::ops::ControlFlow;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// What a path selects, as compact JSON.
fn found(path: &str, body: &str) -> Vec<String> {
    let path = JsonPath::parse(path).unwrap();
    let document = Document::parse(body.to_owned(), usize::MAX).unwrap();
    let mut found = Vec::new();
    let mut steps = Steps::new(STEPS_MAX);
    path.visit(&document, &mut steps, &mut |node, _| {
        found.push(node.compact(usize::MAX));
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    found
}

const STORE: &str = r#"{"store":{"book":[{"category":"reference","author":"Nigel Rees","price":8.95},
{"category":"fiction","author":"Evelyn Waugh","price":12.99,"isbn":"0-553"},
{"category":"fiction","author":"Herman Melville","price":8.99,"isbn":null},
{"author":"J. R. R. Tolkien","price":22.99,"tags":["a","b",{"deep":[1,[2,[3]]]}]}],
"bicycle":{"color":"red","price":399}},"a.b":{"c d":1},"n":[5,1,4,1,3,[9,8],{}],"e":null,"":0,"t":true,
"u":"x\u00e9\ny","pattern":"fic.*","big":1e3,"s1":"a","s2":"b","same":[[1,{"x":[]}],[1.0,{"x":[]}]]}"#;

const PATHS: &[&str] = &[
    "$",
    "$.store.book[*].author",
    "$..author",
    "$.store.*",
    "$.store..price",
    "$..book[2]",
    "$..book[-1]",
    "$..book[0,1]",
    "$..book[:2]",
    "$..book[?@.isbn]",
    "$..book[?@.price < 10]",
    "$..*",
    "$['a.b']['c d']",
    "$[\"a.b\"]",
    "$.n[1:5:2]",
    "$.n[::-1]",
    "$.n[5:1:-2]",
    "$.n[-3:]",
    "$.n[:-3]",
    "$.n[10]",
    "$.n[-10]",
    "$.n[::0]",
    "$.n[0:0]",
    "$.n[3::-1]",
    "$.n[-1:-4:-1]",
    "$.n[?@ > 2]",
    "$.n[?@ >= 1 && @ <= 3]",
    "$.n[?!(@ > 2)]",
    "$.n[?@ == 1 || @ == 4]",
    "$.n[0, 0]",
    "$.n[*,*]",
    "$..[0]",
    "$..['x','price']",
    "$.e",
    "$.e.x",
    "$['']",
    "$..book[?@.category == 'fiction' && @.price > 10].author",
    "$..book[?length(@.author) > 11].author",
    "$..book[?count(@.*) == 4].author",
    "$..book[?count(@..*) > 5]",
    "$..book[?match(@.category, 'fic.*')].price",
    "$..book[?match(@.category, 'fic')].price",
    "$..book[?search(@.author, 'e[yl]')].author",
    "$..book[?match(@.category, $.pattern)].price",
    "$..book[?search(@.author, $.none)]",
    "$..book[?value(@.price) == 8.95]",
    "$..book[?value(@..price) == 8.95]",
    "$.n[?@ == $.n[1]]",
    "$.n[?@ == $.none]",
    "$.n[?@ != 1]",
    "$.n[?$.t == true]",
    "$.n[?@ < 'a']",
    "$[?@ == null]",
    "$[?@ == 'a' || @ == \"b\"]",
    "$[?@ < 'b']",
    "$[?@ == 1000]",
    "$[?@ == 1e3]",
    "$.store.book[?@.tags[2].deep[1][1][0] == 3].price",
    "$.n[?count(@[*]) == 2]",
    "$.n[?length(@) == 2]",
    "$.n[?length(@) == 0]",
    "$.store[?@.color == 'red']",
    "$..book[?(@.price < 9) && !(@.isbn)]",
    "$ .store [ 'bicycle' ] .color",
    "$.n[ 1 , 2 : 4 ]",
    "$.u",
    "$[?match(@, 'x..y')]",
    "$[?match(@, 'x.[^a]y')]",
    "$[?@['c d'] == 1]",
    "$..[?@.x]",
    "$.store.book[?@.isbn == null]",
    "$[?length(@) == length('ab')]",
    "$.n[?@ == -0]",
    "$.n[?@ > -1.5e0]",
    "$['u\\u0041','\\u0075']",
];

#[test]
fn paths_select_what_an_independent_judge_selects() {
    let value: Value = serde_json::from_str(STORE).unwrap();
    for path in PATHS {
        // Members of objects come in another order there.
        let mut want: Vec<String> = serde_json_path::JsonPath::parse(path)
            .unwrap_or_else(|error| panic!("{path}: {error}"))
            .query(&value)
            .all()
            .iter()
            .map(|node| node.to_string())
            .collect();
        let mut got: Vec<String> = found(path, STORE)
            .iter()
            .map(|text| serde_json::from_str::<Value>(text).unwrap().to_string())
            .collect();
        want.sort();
        got.sort();
        assert_eq!(got, want, "{path}");
    }
}

#[test]
fn order_is_that_of_the_document() {
    for (path, want) in [
        ("$.n[::-1]", "{} [9,8] 3 1 4 1 5"),
        ("$.n[5:1:-2]", "[9,8] 1"),
        ("$.n[1,0]", "1 5"),
        ("$..price", "8.95 12.99 8.99 22.99 399"),
        ("$.same..x", "[] []"),
        // Numbers are equal by their value, also in lists.
        ("$.same[?@ == $.same[0]]", "[1,{\"x\":[]}] [1.0,{\"x\":[]}]"),
        ("$['s2','s1']", "\"b\" \"a\""),
    ] {
        assert_eq!(found(path, STORE).join(" "), want, "{path}");
    }
}

#[test]
fn what_is_no_path_is_refused_where_it_is_wrong() {
    let nested = |open: &str, close: &str, count: usize| {
        format!("$[?{}@.a{}]", open.repeat(count), close.repeat(count))
    };
    for (path, at) in [
        ("", 0),
        ("status", 0),
        (" $", 0),
        ("$ ", 1),
        ("$.", 2),
        ("$..", 3),
        ("$.items[", 8),
        ("$.a b", 3),
        ("$.1", 2),
        ("$.a-b", 3),
        ("$[01]", 2),
        ("$[-0]", 2),
        ("$[9007199254740992]", 2),
        ("$['a", 2),
        ("$['a\\x']", 4),
        ("$['\\ud800']", 3),
        ("$['a'", 5),
        ("$[1,]", 4),
        ("$[?]", 3),
        ("$[?1]", 3),
        ("$[?@.a == ]", 10),
        ("$[?@.* == 1]", 3),
        ("$[?@..a == 1]", 3),
        ("$[?length(@.a)]", 3),
        ("$[?length(@.*) == 1]", 10),
        ("$[?count(1) == 1]", 9),
        ("$[?match(@.a, 'x') == true]", 3),
        ("$[?match(@.a)]", 12),
        ("$[?nope(@.a)]", 3),
        ("$[?length (@.a) == 1]", 3),
        ("$[?@.a = 1]", 7),
        ("$[?@.a == 01]", 10),
        ("$[?(@.a]", 7),
        ("$[?!@.a == 1]", 8),
        ("$[?true]", 3),
    ] {
        let error = JsonPath::parse(path).expect_err(path);
        assert_eq!(error.at, at, "{path}: {}", error.what);
        assert!(serde_json_path::JsonPath::parse(path).is_err(), "{path}");
    }
    for path in [
        nested("(", ")", 1000),
        nested("!(", ")", 500),
        nested("@[?", "]", 25),
        nested("@[?", "]", 600),
        format!("$[?{}1{} == 1]", "length(".repeat(30), ")".repeat(30)),
    ] {
        let error = JsonPath::parse(&path).unwrap_err();
        assert!(
            error.what.contains("nested") || error.what.contains("2048"),
            "{}",
            error.what
        );
    }
    assert!(JsonPath::parse(&nested("(", ")", 20)).is_ok());
    assert!(JsonPath::parse(&nested("@[?", "]", 20)).is_ok());
    assert!(JsonPath::parse(&format!("${}", ".a".repeat(1000))).is_ok());
    assert!(JsonPath::parse(&format!("${}", ".a".repeat(1100))).is_err());
}

#[test]
fn a_pattern_of_the_document_is_bounded() {
    let long = "x".repeat(100_000);
    for (pattern, want) in [
        ("x+", true),
        ("(", false),
        ("((((x{100}){100}){100}){100})", false),
        (long.as_str(), false),
    ] {
        let body = format!("{{\"list\":[\"xx\"],\"p\":\"{pattern}\"}}");
        let got = found("$.list[?match(@, $.p)]", &body);
        assert_eq!(!got.is_empty(), want, "{:.40}", pattern);
    }
    // Every value brings its own.
    let many: Vec<String> = (0..5000)
        .map(|n| format!("{{\"t\":\"x\",\"p\":\"[a-z]{{{n}}}\"}}"))
        .collect();
    let body = format!("[{}]", many.join(","));
    let path = JsonPath::parse("$[?match(@.t, @.p)]").unwrap();
    let document = Document::parse(body, usize::MAX).unwrap();
    let visited = path.visit(&document, &mut Steps::new(STEPS_MAX), &mut |_, _| {
        Ok(ControlFlow::Continue(()))
    });
    assert_eq!(visited, Err(Spent));
}

#[test]
fn values_and_depth_are_bounded() {
    let many = format!("[{}0]", "0,".repeat(99));
    assert!(Document::parse(many.as_str(), 101).is_ok());
    assert_eq!(
        Document::parse(many.as_str(), 100).err(),
        Some(JsonFault::TooManyValues(100))
    );
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(Document::parse(deep(10_000), usize::MAX).is_ok());
    assert_eq!(
        Document::parse(deep(10_001), usize::MAX).err(),
        Some(JsonFault::TooDeep)
    );
    // What was read is also written and compared at any depth.
    let document = Document::parse(deep(10_000), usize::MAX).unwrap();
    assert_eq!(document.root().compact(usize::MAX), deep(10_000));
    assert_eq!(
        document
            .root()
            .is_equal(document.root(), &mut Steps::new(STEPS_MAX)),
        Ok(true)
    );
}

#[test]
fn of_a_name_that_comes_again_the_last_counts() {
    let body = r#"{"a":1,"b":{"x":1,"x":{"a":2},"x":3},"\u0061":4,"c":5,"":6,"":7}"#;
    for (path, want) in [
        ("$.a", "4"),
        ("$.b.x", "3"),
        ("$.*", "{\"x\":3} 4 5 7"),
        ("$..a", "4"),
        ("$.b[?@ == 3]", "3"),
        ("$[?length(@) == 1]", "{\"x\":3}"),
        ("$", "{\"\":7,\"a\":4,\"b\":{\"x\":3},\"c\":5}"),
    ] {
        assert_eq!(found(path, body).join(" "), want, "{path}");
    }
}

/// JSON texts and texts that are nearly JSON.
fn texts() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,2})?",
        "\"([a-c ]|\\\\[\"/bfnrt]|\\\\u00[0-7][0-9a-f]){0,4}\"",
        "[-+.0-9eE]{1,4}",
        "\"[\\\\a-u0-9]{0,5}\"",
        "[a-z]{1,5}",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![Just("\"a\""), Just("\"b\""), Just("\"\\u0061\""), Just("b")];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|list| format!("[{}]", list.join(", "))),
            proptest::collection::vec((name, inner), 0..4).prop_map(|list| {
                let list: Vec<String> = list
                    .iter()
                    .map(|(name, it)| format!("{name}:{it}"))
                    .collect();
                format!("{{ {} }}", list.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(crate::cases::cases(2000))]
    #[test]
    fn texts_are_json_where_an_independent_judge_says_so(text in texts()) {
        let ours = Document::parse(text.as_str(), usize::MAX);
        match serde_json::from_str::<Value>(&text) {
            Ok(theirs) => {
                let ours = ours.expect("JSON");
                let again: Value = serde_json::from_str(&ours.root().compact(usize::MAX)).expect("JSON");
                prop_assert_eq!(again, theirs);
            }
            // It refuses lone surrogates, and numbers that are too large.
            Err(error) => prop_assert!(
                ours.is_err() || text.contains("\\u") || text.contains(['e', 'E']),
                "{} {}", text, error
            ),
        }
    }

    #[test]
    fn any_path_finds_what_an_independent_judge_finds(
        text in texts(),
        path in "\\$(\\.a|\\.b|\\.\\*|\\.\\.a|\\.\\.\\*|\\[[-0-2]\\]|\\[-?[0-3]?:-?[0-3]?(:-?[1-2])?\\]|\\[\\?@(\\.a|\\[0\\])?( (==|<|>=|!=) (1|'a'|@\\.b|null))?\\]){0,3}",
    ) {
        let (Ok(value), Ok(theirs)) =
            (serde_json::from_str::<Value>(&text), serde_json_path::JsonPath::parse(&path))
        else {
            prop_assert!(serde_json::from_str::<Value>(&text).is_err() || JsonPath::parse(&path).is_err(), "{}", path);
            return Ok(());
        };
        let mut want: Vec<String> = theirs.query(&value).all().iter().map(|node| node.to_string()).collect();
        let mut got: Vec<String> = found(&path, &text)
            .iter()
            .map(|text| serde_json::from_str::<Value>(text).expect("JSON").to_string())
            .collect();
        want.sort();
        got.sort();
        prop_assert_eq!(got, want, "{} {}", path, text);
    }

    #[test]
    fn any_text_is_a_path_or_refused(path in "[$@.*?()!&|=<>'\\[\\]a-c0-9, :-]{0,40}") {
        if let Ok(path) = JsonPath::parse(&path) {
            let document = Document::parse(STORE, usize::MAX).unwrap();
            let _ = path.visit(&document, &mut Steps::new(100_000), &mut |_, _| Ok(ControlFlow::Continue(())));
        }
    }
}
