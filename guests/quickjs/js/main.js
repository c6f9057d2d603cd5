// The bootstrap: evaluated once, into the image, before any user code. It
// imports what defines globals; builtins.js lists the modules that user code
// may import.
//
// What is in a file here runs once, when the image is made. What differs from
// run to run (arguments, environment, input, clocks) is asked of the host when
// it is used, so that a fresh clone has nothing to set up.
import "mayfly:console";
import "mayfly:timers";
import "mayfly:event";
import "mayfly:abort";
import "mayfly:performance";
import "mayfly:crypto";
import "mayfly:streams";
import "mayfly:blob";
import "mayfly:navigator";
import { builtins } from "mayfly:builtins";
