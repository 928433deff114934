# SPDX-License-Identifier: GPL-2.0 OR MIT
#
# Judges the console of a kernel that ran KUnit tests and halted; fails closed: whatever is not
# shown to be complete and good is a failure. Prints one line for each reason, then
#
#	count PASSED FAILED SKIPPED
#
# where FAILED counts every `not ok` and every other reason; a skip is a reason too.
#
#	-v suites=	names of all suites, each of which must report once
#	-v status=	exit status of the kernel
#	-v splats=	file of patterns that a kernel prints when something is wrong with it
#	-v sequences=	what the model check must say that it ran

function refuse(why) {
	print (suite == "" ? "" : suite ": ") why
	failed++
}

BEGIN {
	expected = split(suites, names, " ")
	for (i in names)
		known[names[i]] = 1
	if (!expected)
		refuse("no suites are known")
	while ((got = (getline line <splats)) > 0)
		if (line != "")
			pattern = pattern (pattern == "" ? "" : "|") line
	if (got < 0 || pattern == "")
		refuse("no patterns of splats")
	suite = plan = subplan = ""
}

{ sub(/\r$/, "") }

pattern != "" && $0 ~ pattern { refuse("splat: " $0) }

/^reboot: System halted/ { halted++ }

/^1\.\.[0-9]+/ {
	if (plan != "")
		refuse("two plans")
	plan = substr($1, 4)
	next
}

/^    # Subtest: / {
	if (suite != "")
		refuse("no result")
	suite = $3
	subplan = ""
	seen = 0
	if (!(suite in known))
		refuse("not one of " suites)
	if (suite in reported)
		refuse("reported twice")
	reported[suite] = 1
	next
}

/^    1\.\.[0-9]+/ {
	if (suite == "")
		refuse("plan outside a suite")
	if (subplan != "")
		refuse("two plans")
	subplan = substr($1, 4)
	next
}

/^    (not )?ok / {
	if (suite == "")
		refuse("result outside a suite")
	bad = ($1 == "not")
	seen++
	if ((bad ? $3 : $2) != seen "")
		refuse("result " (bad ? $3 : $2) " where " seen " was due")
	if (bad)
		refuse($0)
	else if (toupper($0) ~ /# *SKIP/)
		refuse("skipped: " $0)
	else
		passed++
	next
}

/^(not )?ok / {
	bad = ($1 == "not")
	done++
	if ((bad ? $3 : $2) != done "")
		refuse("suite " (bad ? $3 : $2) " where " done " was due")
	if (suite == "" || $NF != suite)
		refuse("result of a suite that did not begin: " $0)
	if (subplan == "" || subplan == 0)
		refuse("no plan")
	else if (subplan != seen "")
		refuse("plan of " subplan " but " seen " results")
	if (bad)
		refuse($0)
	suite = ""
	next
}

/sequences [0-9]+$/ {
	counted++
	if ($NF != sequences)
		refuse("model check of " $NF " sequences, not " sequences)
	if (suite != "model")
		refuse("sequences outside the model check")
}

/^Bail out!/ { refuse($0) }

END {
	if (suite != "")
		refuse("no result")
	suite = ""
	if (plan == "")
		refuse("no plan")
	else if (plan != expected "" || plan != done "")
		refuse("plan of " plan " suites, " done + 0 " results, " expected " known")
	if (counted != 1)
		refuse("the model check said " counted + 0 " times how many sequences it ran")
	if (halted != 1)
		refuse("the kernel did not halt by itself")
	if (status != "0")
		refuse("exit status " status)
	printf "count %d %d %d\n", passed, failed, 0
}
