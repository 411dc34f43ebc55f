package dataset

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// labelsOf returns what reads the labels in a column of a type. A value alone does not tell whether it has a sign, or a point.
func labelsOf(t parquet.Type) (func(v parquet.Value) (Label, string), error) {
	var logical format.LogicalTypeValue
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	switch l := logical.(type) {
	case *format.IntType:
		if !l.IsSigned {
			return notNull(unsignedLabel), nil
		}
	case *format.DecimalType:
		if l.Scale >= 0 && l.Scale <= maxScale {
			return notNull(func(v parquet.Value) (Label, string) { return decimalLabel(v, l.Scale) }), nil
		}
		return nil, errNoLabels(l)
	case nil, *format.StringType, *format.EnumType, *format.JsonType, *format.NullType:
	default:
		return nil, errNoLabels(l)
	}
	return notNull(plainLabel), nil
}

// kindOf tells columns apart whose values can't stand in each other.
func kindOf(leaf parquet.LeafColumn) string {
	kind := leaf.Node.Type().String()
	if strings.HasPrefix(kind, "INT") && !strings.HasPrefix(kind, "INT96") {
		kind = "INT"
	}
	return fmt.Sprintf("%s %d %d", kind, leaf.MaxRepetitionLevel, leaf.MaxDefinitionLevel)
}

// maxScale is how many digits a decimal number may have behind its point.
const maxScale = 76

func errNoLabels(found fmt.Stringer) error {
	return fmt.Errorf("expected whole numbers or names for labels, found %v; --label COLUMN takes another column", found)
}

func notNull(of func(v parquet.Value) (Label, string)) func(v parquet.Value) (Label, string) {
	return func(v parquet.Value) (Label, string) {
		if v.IsNull() {
			return Label{}, ""
		}
		return of(v)
	}
}

// plainLabel reads numbers with a sign, and names. Not a number is what programs write for a label that is not there.
func plainLabel(v parquet.Value) (Label, string) {
	switch v.Kind() {
	case parquet.Int32:
		return Number(int64(v.Int32())), ""
	case parquet.Int64:
		return Number(v.Int64()), ""
	case parquet.ByteArray, parquet.FixedLenByteArray, parquet.Boolean:
		return Name(v.String()), ""
	case parquet.Float, parquet.Double:
		f := v.Double()
		if v.Kind() == parquet.Float {
			f = float64(v.Float())
		}
		if math.IsNaN(f) {
			return Label{}, ""
		}
		return jsonLabel(json.Number(v.String()))
	}
	return Label{}, "a " + v.Kind().String()
}

func unsignedLabel(v parquet.Value) (Label, string) {
	n := v.Uint64()
	if v.Kind() == parquet.Int32 {
		n = uint64(v.Uint32())
	}
	if n > math.MaxInt64 {
		return Label{}, fmt.Sprintf("the number %d", n)
	}
	return Number(int64(n)), ""
}

// decimalLabel reads a number with so many digits behind its point.
func decimalLabel(v parquet.Value, scale int32) (Label, string) {
	n := new(big.Int)
	switch v.Kind() {
	case parquet.Int32:
		n.SetInt64(int64(v.Int32()))
	case parquet.Int64:
		n.SetInt64(v.Int64())
	default:
		b := v.ByteArray()
		if len(b) > 32 {
			return Label{}, fmt.Sprintf("a number of %d bytes", len(b))
		}
		if n.SetBytes(b); len(b) > 0 && b[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	x := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	if !x.IsInt() || !x.Num().IsInt64() {
		return Label{}, "the number " + x.FloatString(int(scale))
	}
	return Number(x.Num().Int64()), ""
}

// groupLabels reads the labels of a row group: a value a row, or a list of values.
func groupLabels(g parquet.RowGroup, c parquetColumns) (labels []Label, bad map[int]string, err error) {
	bad = map[int]string{}
	var list []parquet.Value
	flush := func() {
		if list == nil {
			return
		}
		l, problem := listLabel(list, c.says)
		if problem != "" {
			bad[len(labels)] = problem
		}
		labels, list = append(labels, l), nil
	}
	err = eachValue(g.ColumnChunks()[c.label], func(v parquet.Value) error {
		if v.RepetitionLevel() == 0 {
			flush()
		}
		list = append(list, v.Clone())
		if len(list) > maxList {
			return fmt.Errorf("a list of more than %d labels", maxList)
		}
		return nil
	})
	flush()
	return labels, bad, err
}

// maxList bounds the labels of one row.
const maxList = 1 << 16
