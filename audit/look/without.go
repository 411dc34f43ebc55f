package look

import (
	"context"
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/audit/stat"
)

// ContentWithout is Content by networks that learnt none of the images found under a label.
func (c *Case) ContentWithout(ctx context.Context, label int, found []bool) (*Content, error) {
	c.leave(label, found)
	content, err := c.contentBut(ctx, withoutKey(label), found)
	c.without.label, c.without.content = label, content
	return content, err
}

// ContentUnseen is Content by networks that learnt none of some images of a label that are in doubt, for a reason that has a name.
func (c *Case) ContentUnseen(ctx context.Context, label int, why string, doubted []bool) (*Content, error) {
	return c.contentBut(ctx, fmt.Sprintf("%s%d.%s", unseenKey, label, why), doubted)
}

// unseenKey begins the names of what such networks say of a label's images. Nobody needs it once the look at content is done.
const unseenKey = contentKey + ".unseen."

// leave notes the images that networks asked of a label do not learn.
func (c *Case) leave(label int, found []bool) {
	c.without.content = nil
	is := make([]float32, len(found))
	for i, f := range found {
		is[i] = float32(stat.Bit(f))
	}
	if before := c.run.Arrays[withoutKey(label)]; before != nil && !slices.Equal(before, is) { // what was said is of others
		c.forget(label)
	}
	c.run.Arrays[withoutKey(label)] = is
}

// ContentOf is what is best known of the content of images under a label: ContentWithout, if that was asked.
func (c *Case) ContentOf(ctx context.Context, label int) (*Content, error) {
	is := c.run.Arrays[withoutKey(label)]
	switch {
	case is == nil:
		return c.Content(ctx)
	case c.without.content != nil && c.without.label == label:
		return c.without.content, nil
	}
	found := make([]bool, len(is))
	for i, v := range is {
		found[i] = v > 0
	}
	return c.ContentWithout(ctx, label, found)
}

// withoutKey is the name in a run's checkpoint of the images that such networks did not learn, and begins those of their logarithms.
func withoutKey(label int) string { return fmt.Sprintf("%s.without.%d", contentKey, label) }

// forget drops what such networks said of a label, and one that is being trained: Correct asks of wrong labels alone, and nobody after it.
func (c *Case) forget(label int) {
	if c.without.label == label {
		c.without.content = nil
	}
	for fold := range contentFolds {
		key := foldKey(withoutKey(label), fold)
		delete(c.run.Arrays, key)
		c.run.Forget(key)
	}
	delete(c.run.Arrays, withoutKey(label))
}
