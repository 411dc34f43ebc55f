package runs

import (
	"strings"
	"testing"
)

func TestListsWithoutLineFeeds(t *testing.T) {
	_, _, err := openList(strings.NewReader("source,digest\ra.png,x\r"))
	if err == nil || !strings.Contains(err.Error(), "save it with line feeds") {
		t.Error(err)
	}
	if _, head, err := openList(strings.NewReader("source,digest\r\na.png,x\r\n")); err != nil || len(head) != 2 {
		t.Error(head, err)
	}
}
