-- Holds the number in this branch; the merge removes this file.
select 1;
