package train

// Line is what a run in a folder tells while it works, and a line of its log.jsonl if it is no progress.
type Line struct {
	Event           string   `json:"event"` // "epoch", "progress" or "note"
	Stage           string   `json:"stage,omitempty"`
	Epoch           int      `json:"epoch,omitempty"`
	Epochs          int      `json:"epochs,omitempty"`
	Step            int      `json:"step,omitempty"`
	Steps           int      `json:"steps,omitempty"`
	Loss            *float64 `json:"loss,omitempty"`
	Rate            float64  `json:"learning_rate,omitempty"`
	ImagesPerSecond float64  `json:"images_per_second,omitempty"`
	SecondsLeft     float64  `json:"seconds_left,omitempty"`
	// Clean and Poisoned are the mean losses of the two parts, in experiments.
	Clean    *float64 `json:"clean_loss,omitempty"`
	Poisoned *float64 `json:"poisoned_loss,omitempty"`
	Text     string   `json:"text,omitempty"`
}
