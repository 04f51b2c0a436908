import pytest
@pytest.mark.model
def test_x(assistant, new_home):
    import time
    for q in ["How much is the Everest Down Jacket?", "Do you sell canoes?", "Do you sell kayaks?", "What is the UV rating of the Everest Down Jacket?", "who is the president", "hi", "where is my order CO-12345", "", "x"*20000, "你好吗", "How do I return a jacket?", "Is the Everest Down Jacket available in XXL?"]:
        for t in [assistant(), assistant("The Everest Down Jacket costs $1.00 [1]. It is waterproof [1].")]:
            t0=time.time(); r=t.ask(q); print(q[:50], "|", r.answer, r.verdict, r.role, t.authors, r.model_share, r.findings, [c.model_dump_json() for c in r.citations], time.time()-t0)
    a = assistant(home=new_home)
    print(a.ask("How much is the Everest Down Jacket?", "The Everest Down Jacket costs $349.00 [1].", "does it come in blue?"))
