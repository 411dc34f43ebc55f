// Package audit looks for poison in a training set without being told anything: whether there is any, how much of it, and
// towards which class.
//
// Each look asks one question; see the packages below look. Networks that can't see triggers say which labels are not what images
// show, and others what these images share (content). A pattern that is the same in many images of a label, or under many labels,
// shows in their pixels (pixels, common). What such images are, their labels say, or what their pattern does to a network that learnt
// all. The verdict joins what the looks say. It is made once and kept in the run's checkpoint.
package audit
