package decimal_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/pipeline/scalar/decimal"
)

// genText draws decimal text: short ones, which fit an int64, as often as long
// ones.
func genText(t *rapid.T, name string) string {
	whole := rapid.StringMatching(`0|[1-9][0-9]{0,8}|[1-9][0-9]{0,30}`).Draw(t, name)
	frac := rapid.StringMatching(`|\.[0-9]{1,6}|\.[0-9]{1,25}`).Draw(t, name)
	text := whole + frac
	if rapid.Bool().Draw(t, name) && strings.Trim(text, "0.") != "" {
		text = "-" + text
	}
	return text
}

func parse(t *rapid.T, text string) (decimal.Decimal, *big.Rat) {
	d, err := decimal.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if d.String() != text {
		t.Fatalf("%s is printed as %s", text, d)
	}
	r, _ := new(big.Rat).SetString(text)
	return d, r
}

// Sums, differences and products are exact, quotients and remainders are those of
// rational numbers, however many digits there are.
func TestArithmeticIsThatOfRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := genText(t, "x"), genText(t, "y")
		d, p := parse(t, x)
		e, q := parse(t, y)
		scale := max(d.Scale(), e.Scale())
		check(t, x+" + "+y, d.Add, e, new(big.Rat).Add(p, q), scale)
		check(t, x+" - "+y, d.Sub, e, new(big.Rat).Sub(p, q), scale)
		check(t, x+" * "+y, d.Mul, e, new(big.Rat).Mul(p, q), d.Scale()+e.Scale())
		if sign := decimal.Compare([]byte(x), []byte(y)); max(-1, min(sign, 1)) != p.Cmp(q) {
			t.Fatalf("%s and %s: %d, want %d", x, y, sign, p.Cmp(q))
		}
		if q.Sign() == 0 {
			return
		}
		quotient, err := d.Div(e)
		if err != nil || quotient.Scale() < scale {
			t.Fatalf("%s / %s is %s, %v", x, y, quotient, err)
		}
		check(t, x+" / "+y, d.Div, e, new(big.Rat).Quo(p, q), quotient.Scale())
		whole := new(big.Int).Quo(new(big.Int).Mul(p.Num(), q.Denom()), new(big.Int).Mul(p.Denom(), q.Num()))
		rest := new(big.Rat).Sub(p, new(big.Rat).Mul(q, new(big.Rat).SetInt(whole)))
		check(t, x+" % "+y, d.Mod, e, rest, scale)
	})
}

// check compares with a rational, rounded half away from zero as FloatString does.
func check(t *rapid.T, what string, op func(decimal.Decimal) (decimal.Decimal, error), e decimal.Decimal, want *big.Rat, scale int) {
	got, err := op(e)
	text := want.FloatString(scale)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-")
	}
	if err != nil || got.String() != text {
		t.Fatalf("%s is %s, %v; want %s", what, got, err, text)
	}
}

func TestRounding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := genText(t, "x")
		d, p := parse(t, x)
		n := rapid.IntRange(0, 30).Draw(t, "scale")
		check(t, fmt.Sprintf("round(%s, %d)", x, n), func(decimal.Decimal) (decimal.Decimal, error) { return d.Round(n) }, d, p, n)
		floor, ceil := d.Floor(), d.Ceil()
		if decimal.Compare(floor.Append(nil), []byte(x)) > 0 || decimal.Compare(ceil.Append(nil), []byte(x)) < 0 {
			t.Fatalf("%s lies not between %s and %s", x, floor, ceil)
		}
		if trimmed := d.TrimScale(); decimal.Compare(trimmed.Append(nil), []byte(x)) != 0 || trimmed.Scale() != d.MinScale() {
			t.Fatalf("%s without zeros is %s", x, trimmed)
		}
	})
}

// A root times itself is nearer to the number than the next root is.
func TestSqrt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := strings.TrimPrefix(genText(t, "x"), "-")
		d, p := parse(t, x)
		root, err := d.Sqrt()
		if err != nil {
			t.Fatal(err)
		}
		r, _ := new(big.Rat).SetString(root.String())
		half, _ := new(big.Rat).SetString("0.5e-" + fmt.Sprint(root.Scale()))
		low, high := new(big.Rat).Sub(r, half), new(big.Rat).Add(r, half)
		if low.Sign() > 0 && new(big.Rat).Mul(low, low).Cmp(p) > 0 || new(big.Rat).Mul(high, high).Cmp(p) < 0 {
			t.Fatalf("the root of %s is not %s", x, root)
		}
	})
}

// Whatever text is read is printed so that it is read again.
func FuzzParseLiteral(f *testing.F) {
	for _, s := range []string{"1.50", " -1e-5 ", "NaN", "+inf", "1e131071", "0e-16383", ".5", "5.", "1e", "--1", "0.0000000000000000001e20"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := decimal.ParseLiteral(text)
		if err != nil {
			return
		}
		printed := d.Append(nil)
		e, err := decimal.Parse(printed)
		if err != nil || string(e.Append(nil)) != string(printed) {
			t.Fatalf("%q is printed as %q and read as %v, %v", text, printed, e, err)
		}
	})
}
