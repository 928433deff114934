# SPDX-License-Identifier: GPL-2.0 OR MIT
#
# Judges a stream that selftests/tap wrote; fails closed: whatever is not shown to be complete
# and good is a failure. Prints one line for each reason, then
#
#	count PASSED FAILED SKIPPED
#
# where FAILED counts every `not ok` and every other reason. A skip is a reason too, unless
# awk was given -v allow_skip=1.

function refuse(why) {
	print (program == "" ? "" : program ": ") why
	failed++
}

function finish_program() {
	if (plan == "")
		refuse("no plan")
	else if (plan != seen)
		refuse("plan of " plan " but " seen " results")
	if (plan == "0")
		refuse("plan of 0")
	program = plan = ""
	seen = 0
}

BEGIN { announced = ""; plan = program = "" }

{ sub(/\r$/, "") }

/^# programs / {
	if (announced != "" || $3 !~ /^[0-9]+$/)
		refuse("bad announcement: " $0)
	announced = $3
	next
}

/^# begin / {
	if (program != "") {
		refuse("no end")
		finish_program()
	}
	program = $0
	sub(/^# begin /, "", program)
	begun++
	next
}

/^# end / {
	status = $3
	name = $0
	sub(/^# end [^ ]+ /, "", name)
	if (program == "") {
		refuse("end without begin: " name)
		next
	}
	if (name != program)
		refuse("ended as " name)
	if (status !~ /^[0-9]+$/ || status != 0)
		refuse("exit status " status)
	finish_program()
	ended++
	next
}

/^# done$/ { done++; next }

/^1\.\.[0-9]+/ {
	if (program == "")
		refuse("plan outside a program")
	if (plan != "")
		refuse("two plans")
	plan = substr($1, 4)
	next
}

/^(not )?ok( |$)/ {
	if (program == "")
		refuse("result outside a program")
	bad = ($1 == "not")
	number = bad ? $3 : $2
	seen++
	if (number != seen "")
		refuse("result " number " where " seen " was due")
	if (toupper($0) ~ /# *SKIP/) {
		skipped++
		if (!allow_skip)
			refuse("skipped: " $0)
	} else if (bad) {
		refuse($0)
	} else {
		passed++
	}
	next
}

/^Bail out!/ { refuse($0) }

END {
	if (program != "") {
		refuse("no end")
		finish_program()
	}
	if (announced == "" || announced == 0)
		refuse("no programs announced")
	else if (announced != ended + 0)
		refuse(announced " programs announced, " ended + 0 " ended")
	if (done != 1)
		refuse("the list was not finished")
	printf "count %d %d %d\n", passed, failed, skipped
}
