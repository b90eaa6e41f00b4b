"""Which test files take longest, from pytest's JUnit report: `python tests/times.py build/tests.xml`."""

import sys
from collections import Counter
from xml.etree import ElementTree


def main(path: str, longest: int = 20) -> None:
    suites = list(ElementTree.parse(path).iter("testsuite"))
    cases = [case for suite in suites for case in suite.iter("testcase")]
    seconds = Counter()
    for case in cases:
        seconds[case.get("file") or case.get("classname")] += float(case.get("time"))
    clock = sum(float(suite.get("time")) for suite in suites)
    print(f"{seconds.total():9.1f} s for {len(cases)} tests in {len(seconds)} files; {clock:.1f} s by the clock")
    for file, taken in seconds.most_common(longest):
        print(f"{taken:9.1f} s {file}")


if __name__ == "__main__":
    main(sys.argv[1])
