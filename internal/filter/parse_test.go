package filter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/filter"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestCanonicalText(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`timeout`, `timeout`},
		{`  "TimeOut"  `, `timeout`},
		{`"timed out"`, `"timed out"`},
		{`a b`, `a b`},
		{`a AND b and  c`, `a b c`},
		{`a or b OR c`, `a or b or c`},
		{`a b or c`, `a b or c`},
		{`a (b or c)`, `a (b or c)`},
		{`(a b) or c`, `a b or c`},
		{`((a))`, `a`},
		{`(a b) (c d)`, `a b c d`},
		{`a or (b or c)`, `a or b or c`},
		{`not a`, `-a`},
		{`not not a`, `a`},
		{`not(a b)`, `-(a b)`},
		{`-(a or -b)`, `-(a or -b)`},
		{`-(a b) c`, `-(a b) c`},
		{`(-(a b)) c`, `-(a b) c`},
		{`a -(b or c)`, `a -(b or c)`},
		{`level >= WARN`, `level>=warn`},
		{`level>=warn service=order-* "timed out" -logger=foo`, `level>=warn service^=order- "timed out" logger!=foo`},
		{`a=b`, `a=b`},
		{`a = "b"`, `a=b`},
		{`a="b c"`, `a="b c"`},
		{`-a=b`, `a!=b`},
		{`-a!=b`, `a=b`},
		{`not a!=b`, `a=b`},
		{`a=*`, `a:`},
		{`a:`, `a:`},
		{`-a:`, `-a:`},
		{`a^=""`, `a:`},
		{`a=b*`, `a^=b`},
		{`a="b*"`, `a="b*"`},
		{`a=*b*`, `a*=b`},
		{`a=*b`, `a=*b`},
		{`a!=*b**c`, `a!=*b*c`},
		{`a=b=c`, `a="b=c"`},
		{`a=""`, `a=""`},
		{`a>-5`, `a>-5`},
		{`amount > 100`, `amount>100`},
		{`at>=2026-11-20T10:00:00Z`, `at>="2026-11-20T10:00:00Z"`},
		{`a~^foo$`, `a~"^foo$"`},
		{`a~"(Foo|bar) \d+"`, `a~"(Foo|bar) \d+"`},
		{`a~"\\d\""`, `a~"\d\""`},
		{`a="C:\\"`, `a="c:\\"`},
		{`a=C:\\x`, `a="c:\\\x"`},
		{`12:30`, `"12:30"`},
		{`http://host`, `"http://host"`},
		{`--flag="x"`, ``},
		{`"-v"`, `"-v"`},
		{`"or"`, `"or"`},
		{`or=1`, `or=1`},
		{`not=1`, `not=1`},
		{`-not=1`, `not!=1`},
		{`order-7`, `order-7`},
		{`ÄPFEL`, `äpfel`},
		{`größe>5`, `größe>5`},
		{`@timestamp:`, `@timestamp:`},
		{`(level=error)or(level=fatal)`, `level=error or level=fatal`},
		{"a\n\tb", `a b`},
	} {
		program, err := filter.Parse(test.text)
		if test.want == "" {
			if err == nil {
				t.Errorf("%q was read as %q, want it refused", test.text, program)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if program.String() != test.want {
			t.Errorf("%q was read as %q, want %q", test.text, program, test.want)
		}
		if again, err := filter.Parse(program.String()); err != nil || again.String() != test.want {
			t.Errorf("%q, read again, is %v (%v)", test.want, again, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{``, `column 1: found the end, expected a condition such as level>=warn or "some text"`},
		{`   `, `column 4: found the end, expected a condition`},
		{`a or`, `column 5: found the end, expected a condition`},
		{`a and or b`, `column 7: found "or", expected a condition such as level>=warn or "some text", or quotes around that word`},
		{`not`, `column 4: found the end`},
		{`(a`, `column 3: found the end, expected ")" for the "(" in column 1`},
		{`a (b or (c d)`, `column 14: found the end, expected ")" for the "(" in column 3`},
		{`a)`, `column 2: found ")", expected another condition or the end, since no "(" is open`},
		{`()`, `column 2: found ")", expected a condition`},
		{`- a`, `column 1: found "-", expected a condition or "(" right behind "-", or quotes around a text that begins with it`},
		{`a --verbose`, `column 3: found "--verbose", expected a condition or "("`},
		{`-or`, `column 2: found "or", expected`},
		{`"abc`, `column 1: found a quote that is not closed, expected a second '"'`},
		{`äö "abc\"`, `column 4: found a quote that is not closed`},
		{`""`, `column 1: found an empty text, expected some characters between the quotes`},
		{`"a"b`, `column 4: found "b", expected a space or ")" behind the closing quote`},
		{`a"b"`, `column 2: found "\"b", expected a space in front of it, or quotes around the whole text`},
		{`main(args)`, `column 5: found "(", expected a space in front of it, or quotes around the whole text`},
		{`a=`, `column 3: found the end, expected a value behind the operator`},
		{`(a= )`, `column 5: found ")", expected a value`},
		{`a==b`, `column 3: found "=b", expected a value behind one of the operators = != > >= < <= ~ ^= *=, or quotes around it`},
		{`a=>5`, `column 3: found ">5", expected a value behind one of`},
		{`=5`, `column 1: found "=5", expected a field name in front of the operator, or quotes around a text`},
		{`a,b=5`, `column 4: found "=5", expected a field name`},
		{`a !~ b`, `column 4: found "~", expected a field name`},
		{`a && b`, `column 3: found "&&", expected "and" or "or", or quotes around a text`},
		{`!a`, `column 1: found "!a", expected "-" or "not" before what must not be`},
		{`a..b=1`, `column 1: found "a..b=1", expected a field name such as order.amount`},
		{`tags.=1`, `column 1: found "tags.=1", expected a field name`},
		{`x .a:`, `column 3: found ".a:", expected a field name`},
		{`:`, `column 1: found ":", expected a field name`},
		{`level>=loud`, `column 8: found "loud", expected one of trace, debug, info, warn, error, fatal, or a number`},
		{`a~"("`, `column 3: found "(", which has missing closing ): "(", expected a regular expression in the syntax of RE2`},
		{`a~"(?=b)"`, `column 3: found "(?=b)", which has invalid or unsupported Perl syntax: "(?=", expected a regular expression`},
		{"a \xff", `column 3: found the byte 0xff, expected UTF-8`},
		{strings.Repeat("字", 40) + `,=`, `column 42: found "=", expected`},
	} {
		program, err := filter.Parse(test.text)
		if err == nil {
			t.Errorf("%q was read as %q, want it refused", test.text, program)
			continue
		}
		wrong, ok := errors.AsType[*wire.Error](err)
		if !ok || wrong.Code != wire.CodeInvalidArgument || wrong.Retryable {
			t.Errorf("%q: refused with %T %v", test.text, err, err)
			continue
		}
		if !strings.HasPrefix(wrong.Message, "filter, "+test.want) {
			t.Errorf("%q\nis refused with %s\nwant filter, %s", test.text, wrong.Message, test.want)
		}
		if column, _, _ := strings.Cut(strings.TrimPrefix(wrong.Message, "filter, column "), ":"); string(wrong.Details) != `{"column":`+column+`}` {
			t.Errorf("%q: the details are %s, the column is %s", test.text, wrong.Details, column)
		}
		if strings.ContainsFunc(wrong.Message, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q: the sentence %q is not fit for a log line", test.text, wrong.Message)
		}
	}
}
