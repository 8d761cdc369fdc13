//! Protos made of random choices, all of them valid.

const SCALARS: &[&str] = &[
    "int32", "string", "bool", "bytes", "double", "float", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
    "fixed64", "sfixed32", "sfixed64",
];
const KEYS: &[&str] = &["string", "int32", "bool", "sfixed64", "uint64"];
const STEMS: &[&str] = &["x", "snake_case_", "camelCase", "Pascal", "_lead", "two__under", "n1_2"];
/// How deep messages are nested.
const MAX_DEPTH: usize = 3;

/// A valid proto; no choices make the smallest.
pub(crate) fn random_proto(choices: &[u8]) -> String {
    let mut writer = Writer {
        choices: choices.iter(),
        proto3: false,
        serial: 0,
        types: Vec::new(),
        text: String::new(),
    };
    writer.file();
    writer.text
}

struct Writer<'a> {
    choices: std::slice::Iter<'a, u8>,
    proto3: bool,
    serial: usize,
    /// The full names of the messages so far.
    types: Vec<String>,
    text: String,
}

impl Writer<'_> {
    fn choose(&mut self, of: usize) -> usize {
        self.choices.next().map_or(0, |&choice| usize::from(choice) % of)
    }

    fn chosen<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.choose(of.len())]
    }

    fn name(&mut self) -> String {
        self.serial += 1;
        format!("{}{}", self.chosen(STEMS), self.serial)
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        let space = ["\n", " ", "\n// a comment\n", "\t/* another */ "][self.choose(4)];
        self.text.push_str(space);
    }

    fn file(&mut self) {
        self.proto3 = self.choose(2) == 1;
        let syntax = if self.proto3 {
            "syntax = \"proto3\";"
        } else {
            "syntax = 'proto2';"
        };
        self.put(syntax);
        let package = self.chosen(&["", "a", "a.b", "shop.v1.core"]);
        if !package.is_empty() {
            self.put(&format!("package {package};"));
        }
        let scope = if package.is_empty() {
            String::new()
        } else {
            format!(".{package}")
        };
        for _ in 0..self.choose(3) {
            let (option, serial) = (
                self.chosen(&["go_package", "java_package", "swift_prefix"]),
                self.serial,
            );
            if !self.text.contains(option) {
                self.put(&format!("option {option} = \"o{serial}\";"));
            }
        }
        for _ in 0..=self.choose(5) {
            match self.choose(4) {
                0 | 1 => self.message(&scope, 0),
                2 => self.enumeration(),
                _ => self.service(&scope),
            }
        }
    }

    fn message(&mut self, scope: &str, depth: usize) {
        let name = self.name();
        let full_name = format!("{scope}.{name}");
        self.put(&format!("message {name} {{"));
        self.types.push(full_name.clone());
        // Out of order, and none of those that are reserved below.
        let count = self.choose(6);
        let mut numbers: Vec<_> = (0..count).map(|index| 1 + index * 3).collect();
        if self.choose(2) == 1 {
            numbers.reverse();
        }
        numbers.rotate_left(self.choose(count + 1));
        let mut numbers = numbers.into_iter();
        while let Some(number) = numbers.next() {
            match self.choose(5) {
                0 | 1 => self.field(number, true),
                2 => self.map(number),
                3 => {
                    let oneof = self.name();
                    self.put(&format!("oneof {oneof} {{"));
                    self.field(number, false);
                    if let Some(number) = numbers.next() {
                        self.field(number, false);
                    }
                    self.put("}");
                }
                _ if depth < MAX_DEPTH => {
                    self.message(&full_name, depth + 1);
                    self.field(number, true);
                }
                _ => self.enumeration(),
            }
        }
        match self.choose(4) {
            1 => self.put("reserved 2, 5 to 6, 100 to max;"),
            2 => self.put("reserved 'gone', \"also_gone\", 'GONE';"),
            3 => self.put("option deprecated = true;"),
            _ => {}
        }
        self.put("}");
    }

    fn field_type(&mut self) -> String {
        match self.choose(3) {
            2 if !self.types.is_empty() => {
                let index = self.choose(self.types.len());
                self.types[index].clone()
            }
            _ => self.chosen(SCALARS).into(),
        }
    }

    fn field(&mut self, number: usize, with_label: bool) {
        let label = match (with_label, self.proto3) {
            (false, _) => "",
            (true, true) => self.chosen(&["", "optional ", "repeated "]),
            (true, false) => self.chosen(&["optional ", "required ", "repeated "]),
        };
        let (field_type, name) = (self.field_type(), self.name());
        let mut options = Vec::new();
        if self.choose(4) == 1 {
            options.push("deprecated = true".into());
        }
        if self.choose(4) == 1 {
            options.push(format!("json_name = \"json{}\"", self.serial));
        }
        if !self.proto3 && label == "optional " && self.choose(2) == 1 {
            let value = match field_type.as_str() {
                "bool" => "true",
                "string" => "'a \\\"quoted\\\" \\101 \\t \u{e9}'",
                "bytes" => "'\\x00\\377 \u{e9}'",
                "float" | "double" => self.chosen(&["1.5", "-3", "2.5e10", "0.1", "1e-7"]),
                "int32" | "int64" | "sint32" | "sint64" | "sfixed32" | "sfixed64" => self.chosen(&["7", "-8", "0x1f"]),
                "uint32" | "uint64" | "fixed32" | "fixed64" => self.chosen(&["7", "0xff"]),
                _ => "",
            };
            if !value.is_empty() {
                options.push(format!("default = {value}"));
            }
        }
        let options = if options.is_empty() {
            String::new()
        } else {
            format!(" [{}]", options.join(", "))
        };
        self.put(&format!("{label}{field_type} {name} = {number}{options};"));
    }

    fn map(&mut self, number: usize) {
        let (key, value, name) = (self.chosen(KEYS), self.field_type(), self.name());
        self.put(&format!("map<{key}, {value}> {name} = {number};"));
    }

    fn enumeration(&mut self) {
        let name = self.name();
        self.put(&format!("enum {name} {{"));
        let zero = self.name();
        self.put(&format!("{zero} = 0;"));
        for number in 1..=self.choose(4) {
            let (value, sign) = (self.name(), self.chosen(&["", "-"]));
            self.put(&format!("{value} = {sign}{number};"));
        }
        if self.choose(3) == 1 {
            self.put("reserved 50, 7 to 9; reserved 'GONE';");
        }
        self.put("}");
    }

    fn service(&mut self, scope: &str) {
        if self.types.is_empty() {
            self.message(scope, MAX_DEPTH);
        }
        let service = self.name();
        self.put(&format!("service {service} {{"));
        for _ in 0..self.choose(4) {
            let rpc = self.name();
            let (from, to) = (self.chosen(&["", "stream "]), self.chosen(&["", "stream "]));
            let (input, output) = (self.choose(self.types.len()), self.choose(self.types.len()));
            let (input, output) = (self.types[input].clone(), self.types[output].clone());
            let end = self.chosen(&[";", "{}", "{ option idempotency_level = IDEMPOTENT; }"]);
            self.put(&format!("rpc {rpc}({from}{input}) returns ({to}{output}){end}"));
        }
        self.put("}");
    }
}
