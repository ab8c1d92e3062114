import numpy as np, json, pathlib, tempfile, jkeras
from jkeras import generation
from tests.saving import test_native_folders as F, native_models as N
for kind in ("t5","bart","whisper"):
    for variant, record in F.RECORDS[kind].items():
        with tempfile.TemporaryDirectory() as d:
            model=F.read(F.written(pathlib.Path(d)/"x",record),record)
        pairs={k:v for k,v in N.pairs_of(record["config"]).items() if k.startswith("encoder")}
        for way, texts in record["texts"].items():
            options=N.WAYS[way]
            stop=options.get("eos_token_id",())
            if "num_beams" in options:
                t,l,s=generation.beam_search(model,model.params,pairs,max_length=12,beams=3,stop=stop,pad=0)
            else:
                sam=generation.SamplingParams(temperature=0.0,no_repeat_ngram_size=options.get("no_repeat_ngram_size",0)) if "no_repeat_ngram_size" in options else None
                t,l=generation.Generator(model,12,stop=stop)(model.params,pairs,sampling=sam)
            t=np.asarray(t); e=np.array(texts)
            ok=(t[:,:e.shape[1]]==e).all() and (t[:,e.shape[1]:]==0).all()
            if not ok: print(kind,variant,way,t.tolist(),e.tolist())
    print(kind,"done")
