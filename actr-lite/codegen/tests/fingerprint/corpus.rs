//! A proto for each construct of the language.

/// Name and text of protos whose fingerprint is the same as that of proto-sign.
pub(crate) const SAME: &[(&str, &str)] = &[
    ("empty", ""),
    ("syntax alone", "syntax = 'proto3';"),
    ("no syntax", "package a; message M { required int32 x = 1; }"),
    (
        "proto2",
        "syntax = 'proto2'; package a.b.c; message M { optional int32 x = 1; }",
    ),
    (
        "comments",
        "// one\nsyntax = \"proto3\"; /* two */ package a; /* import \"no.proto\"; */\n// three\nmessage M { int32 x = 1; /* \
         four */ }",
    ),
    (
        "every scalar",
        "syntax = 'proto3'; package a; message M { double a = 1; float b = 2; int32 c = 3; int64 d = 4; uint32 e = 5; \
         uint64 f = 6; sint32 g = 7; sint64 h = 8; fixed32 i = 9; fixed64 j = 10; sfixed32 k = 11; sfixed64 l = 12; bool m \
         = 13; string n = 14; bytes o = 15; }",
    ),
    (
        "numbers out of order, and not in decimal",
        "syntax = 'proto3'; package a; message Z { int32 z = 0x20; int32 b = 0X1f; int32 c = 3; } message A { int32 q = \
         536870911; int32 a = 7; }",
    ),
    (
        "labels",
        "syntax = 'proto2'; package a; message M { required M a = 1; optional M b = 2; repeated M c = 3; repeated int32 d = 4 \
         [packed = true]; repeated int32 e = 5 [packed=false]; }",
    ),
    (
        "nested types and the ways to name them",
        "syntax = 'proto3'; package a.b; message Outer { message Mid { message In { In self = 1; Mid mid = 2; Outer.Mid.In full \
         = 3; .a.b.Outer absolute = 4; b.Outer half = 5; a.b.Other other = 6; } enum Kind { NONE = 0; } In in = 1; Kind kind \
         = 2; } Mid mid = 1; Mid.In in = 2; Mid.Kind kind = 3; enum Kind { ZERO = 0; } Kind own = 4; } message Other { \
         Outer.Mid.Kind kind = 1; }",
    ),
    (
        "an inner name hides an outer one",
        "syntax = 'proto3'; package a; message M { string outer = 1; } message N { message M { int32 inner = 1; } M m = 1; .a.M n \
         = 2; }",
    ),
    (
        "maps",
        "syntax = 'proto3'; package a; message M { map<string, int32> by_name = 1; map<int32, M> fooBar = 2; map<bool, E> \
         _under__score_ = 3; map<sfixed64, .a.M> x2_y3z = 4 [deprecated = true]; map<string, bytes> UPPER = 5; } enum E { \
         Z = 0; }",
    ),
    (
        "oneofs",
        "syntax = 'proto3'; package a; message M { int32 first = 1; oneof zeta { string a = 9; M b = 4; } oneof alpha { int32 c \
         = 3; } string last = 2; }",
    ),
    (
        "optional of proto3 among oneofs",
        "syntax = 'proto3'; package a; message M { optional int32 one = 9; oneof pick { string a = 2; int32 b = 3; } optional M \
         two = 4; oneof other { int32 c = 8; } optional string _three = 1; int32 plain = 7; repeated int32 many = 5; }",
    ),
    (
        "oneofs of proto2",
        "syntax = 'proto2'; package a; message M { oneof pick { string a = 2; int32 b = 3; } optional int32 c = 1; }",
    ),
    (
        "enums",
        "syntax = 'proto3'; package a; enum Z { Z0 = 0; Z9 = 9; ZM = -1; Z2 = 0x2; ZMIN = -2147483648; ZMAX = 2147483647; } enum \
         A { A0 = 0; }",
    ),
    (
        "options of enums",
        "syntax = 'proto3'; package a; enum E { option allow_alias = true; option deprecated = false; B = 0; A = 0; C = 1 \
         [deprecated = true]; }",
    ),
    (
        "reserved",
        "syntax = 'proto3'; package a; message M { reserved 9, 2 to 4, 1000 to max; reserved 'z', \"a\"; int32 x = 1; } enum E { \
         reserved 5, 2 to 3; reserved 'Y', 'X'; Z = 0; }",
    ),
    (
        "extensions",
        "syntax = 'proto2'; package a; message M { extensions 100 to 199, 50; extensions 1000 to max; optional int32 x = 1; } \
         extend M { optional string zed = 101; repeated M abc = 100 [deprecated = true]; optional int32 number = 102 \
         [default = 7]; } message N { extend M { optional int32 inner = 110; } }",
    ),
    (
        "message set",
        "syntax = 'proto2'; package a; message M { option message_set_wire_format = true; extensions 4 to max; }",
    ),
    (
        "options of messages",
        "syntax = 'proto2'; package a; message M { option no_standard_descriptor_accessor = true; option deprecated = true; } \
         message N { option deprecated = false; }",
    ),
    (
        "options of fields",
        "syntax = 'proto3'; package a; message M { string a = 1 [ctype = CORD, deprecated = true]; int64 b = 2 [jstype = \
         JS_STRING, json_name = 'other']; repeated int32 c = 3 [packed = false]; M d = 4 [lazy = true, weak = true]; string \
         e = 5 [ctype = STRING, json_name = \"quo\\\"te \\303\\251\"]; int64 f = 6 [jstype = JS_NORMAL]; }",
    ),
    (
        "names in JSON",
        "syntax = 'proto3'; package a; message M { int32 snake_case = 1; int32 camelCase = 2; int32 Pascal_Case = 3; int32 _lead = \
         4; int32 trail_ = 5; int32 two__under = 6; int32 n1_2x = 7; int32 x_1 = 8; }",
    ),
    (
        "defaults",
        "syntax = 'proto2'; package a; enum E { ONE = 1; TWO = 2; } message M { optional int32 a = 1 [default = -5]; optional \
         uint64 b = 2 [default = 18446744073709551615]; optional int64 c = 3 [default = -9223372036854775808]; optional \
         bool d = 4 [default = true]; optional E e = 5 [default = TWO]; optional string f = 6 [default = 'it\\'s \\x41 \
         \\n \\101 \u{e9}']; optional sint32 g = 7 [default = 0x1F]; optional fixed32 h = 8 [default = 0XFF]; optional \
         string i = 9 [default = '']; }",
    ),
    (
        "defaults of floating-point fields",
        "syntax = 'proto2'; package a; message M { optional float a = 1 [default = 1.5]; optional double b = 2 [default = -2.50]; \
         optional float c = 3 [default = 10]; optional double d = 4 [default = 1e3]; optional float e = 5 [default = inf]; \
         optional double f = 6 [default = nan]; optional float g = 7 [default = 0.1]; optional double h = 8 [default = \
         1.7976931348623157e-30]; optional float i = 9 [default = -7]; optional double j = 10 [default = -0.5]; optional \
         float k = 11 [default = 3.14159265358979]; optional double l = 12 [default = 9007199254740991]; optional double m = 13 [default = -inf]; optional float n = 14 \
         [default = -nan]; }",
    ),
    (
        "defaults of bytes",
        "syntax = 'proto2'; package a; message M { optional bytes a = 1 [default = 'plain']; optional bytes b = 2 [default = \
         '\\000\\x7f\\xff\\n\\r\\t\\\\x41 \\'\\\"']; optional bytes c = 3 [default = \"\u{e9}'\"]; optional bytes d = 4 \
         [default = '']; }",
    ),
    (
        "text in two parts",
        "syntax = 'proto3'; package a; option java_package = 'com.' 'example'; message M {}",
    ),
    (
        "services",
        "syntax = 'proto3'; package a; message I {} message O {} service Z { rpc Zed(I) returns (O); rpc Abc(.a.I) returns (a.O) \
         {} } service A { option deprecated = true; rpc X(I) returns (O) { option idempotency_level = NO_SIDE_EFFECTS; \
         option deprecated = true; } rpc Y(I) returns (O) { option idempotency_level = IDEMPOTENCY_UNKNOWN; } rpc W(I) \
         returns (O) { option idempotency_level = IDEMPOTENT; } } service Empty {}",
    ),
    (
        "streaming",
        "syntax = 'proto3'; package a; message I {} service S { rpc A(stream I) returns (I); rpc B(I) returns (stream I); rpc \
         C(stream I) returns (stream I); }",
    ),
    (
        "options of a file",
        "syntax = 'proto3'; package a; option go_package = 'example.com/a;a'; option java_package = 'com.example'; option \
         csharp_namespace = 'A.B'; option ruby_package = 'A::B'; option java_multiple_files = true; option \
         java_outer_classname = 'Outer'; option java_string_check_utf8 = false; option java_generic_services = false; \
         option objc_class_prefix = 'GP'; option php_class_prefix = 'P'; option php_namespace = 'A\\\\B'; option \
         php_metadata_namespace = 'M'; option swift_prefix = 'S'; option cc_generic_services = true; option \
         cc_enable_arenas = true; option py_generic_services = true; option optimize_for = CODE_SIZE; option deprecated = \
         true;",
    ),
    (
        "optimized for speed",
        "syntax = 'proto3'; option optimize_for = SPEED; message M {}",
    ),
    (
        "imports of protobuf's own files",
        "syntax = 'proto3'; package a; import 'google/protobuf/timestamp.proto'; import public \
         \"google/protobuf/any.proto\"; import 'google/protobuf/empty.proto'; message M { google.protobuf.Timestamp at = \
         1; repeated google.protobuf.Any any = 2; map<string, .google.protobuf.Timestamp> times = 3; } service S { rpc \
         R(M) returns (google.protobuf.Empty); }",
    ),
    (
        "custom options",
        "syntax = 'proto2'; package a; import 'google/protobuf/descriptor.proto'; extend google.protobuf.FieldOptions { optional \
         string note = 50001; } extend google.protobuf.MessageOptions { optional int32 level = 50001; } extend \
         google.protobuf.EnumOptions { optional string tag = 50001; } message M { option (level) = 7; optional int32 x = 1 \
         [(note) = 'hi', deprecated = true]; } enum E { option (a.tag) = 't'; Z = 0; }",
    ),
];

/// Those with something that can be written in ways that a descriptor does not tell apart.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    (
        "group",
        "syntax = 'proto2'; package a; message M { repeated group Part = 1 { optional int32 x = 2; } }",
    ),
    (
        "octal number",
        "syntax = 'proto3'; package a; message M { int32 x = 010; }",
    ),
    (
        "escape of a code point",
        "syntax = 'proto2'; package a; message M { optional string x = 1 [default = '\\u00e9']; }",
    ),
    (
        "group as an extension",
        "syntax = 'proto2'; package a; message M { extensions 4 to 9; } extend M { optional group Part = 4 { optional int32 x = \
         2; } }",
    ),
    (
        "enum that reserves up to max",
        "syntax = 'proto3'; package a; enum E { reserved 5 to max; Z = 0; }",
    ),
    (
        "enum that reserves up to its highest number",
        "syntax = 'proto3'; package a; enum E { reserved 5 to 2147483647; Z = 0; }",
    ),
    (
        "integer default that a double does not hold",
        "syntax = 'proto2'; package a; message M { optional double x = 1 [default = 9007199254740993]; }",
    ),
    (
        "default of minus zero",
        "syntax = 'proto2'; package a; message M { optional float x = 1 [default = -0]; }",
    ),
];

/// Those that proto-sign does not parse, so that no other implementation has another fingerprint for them.
pub(crate) const READ_HERE_ALONE: &[(&str, &str)] = &[(
    "negative numbers reserved",
    "syntax = 'proto3'; package a; enum E { reserved -9 to -2; Z = 0; }",
)];
