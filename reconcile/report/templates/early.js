// Before the lists are there: with a script, rows behind the first of a long one are shown when asked for.
document.documentElement.classList.add("scripted");
