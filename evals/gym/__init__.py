"""A retail gym: scripted customers in whole conversations, scored by what was said and by the database afterwards.

    scenarios   what customers want and say, as YAML (`scenarios/*.yaml`), with what a good shop would say and do
    records     the shop's files, read plainly: the truth that scenarios and oracle refer to
    play        one customer's conversation with the shop that a stage has opened
    judge       what had to be said and done, against what was
    oracle      facts in shown sentences that no cited record has; shares no code with the check that guards the answers
    report      pass^k, tables, a picture

The customers are deterministic: what varies between trials is the sampling seed of the model.
"""
