package signs

import "testing"

func TestRender(t *testing.T) {
	d := Render(0, 100, 30)
	if len(Names()) < 8 || d.Train.Len() != 100 || d.Test.Len() != 30 || d.Train.Height != Side {
		t.Fatalf("%d classes, %d and %d images", len(Names()), d.Train.Len(), d.Test.Len())
	}
	if same := d.Train.Twins().Same; same != 0 {
		t.Errorf("%d images are equal", same)
	}
	if Render(0, 100, 30).Train.Digest() != d.Train.Digest() {
		t.Error("the same seed gives other images")
	}
	if Render(1, 100, 30).Train.Digest() == d.Train.Digest() {
		t.Error("another seed gives the same images")
	}
	for c, n := range d.Train.Counts() {
		if n != 10 {
			t.Errorf("class %d has %d of 100 images", c, n)
		}
	}
}
