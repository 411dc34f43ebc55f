// Package audit looks for poison in a training set without being told anything: whether there is any, how much of it, and
// towards which class.
//
// Each look asks one question; see the packages below look. Networks that can't see triggers say which labels are not what images
// show, and others what these images share (content). A pattern that is the same in many images of a label shows in their
// pixels alone (pixels, common). Where the images that isolation ranks first agree on a label, a biased network learns to tell
// them from everything else, in rounds, and finds the rest of what carries the trigger (biased). A network trained on what is
// left, as somebody would who suspects nothing, then shows whether a label holds two kinds of images (features). The verdict joins
// what they say. It is made once and kept in the run's checkpoint.
package audit
